/**
 * Puts effects on links of a real network, by the kernel's netem (netem.ts has the words). Looks at what all effects of a link
 * come to, and changes what differs: one `tc` for each sender, however many effects begin or end together.
 */
import type { DirectedLink, LinkEffect } from '@troupe/faults'
import { run, runNow } from './net-tools.ts'
import { clearLine, netemStages, stageLines, treeLines } from './netem.ts'

/** A node on the network. */
export interface ShapedHost {
  readonly name: string
  readonly namespace: string
  readonly address: string
}

export interface LinkShaperOptions {
  /** In each namespace. */
  readonly device: string
  readonly hosts: readonly ShapedHost[]
  /** @default 'tc' */
  readonly program?: string | undefined
  /** Has one change made after the other. */
  readonly queue: (change: () => Promise<void>) => Promise<void>
}

/** The links of one sender to one receiver. */
interface ShapedLink {
  readonly namespace: string
  /** Which class of its sender. */
  readonly at: number
  readonly effects: Map<number, LinkEffect>
  /** What is on it now; undefined where a change has failed in its middle. */
  stages: string | undefined
  version: number
}

const NOTHING = '[]'

export class LinkShaper {
  readonly #options: LinkShaperOptions
  readonly #program: string
  readonly #links = new Map<string, ShapedLink>()
  /** Those that are looked at with the next change. */
  readonly #dirty = new Set<ShapedLink>()

  constructor(options: LinkShaperOptions) {
    this.#options = options
    this.#program = options.program ?? 'tc'
    for (const { name, namespace } of options.hosts) {
      for (const [at, other] of this.#others(name).entries()) {
        const link = { namespace, at, effects: new Map(), stages: NOTHING, version: 0 }
        this.#links.set(`${name}>${other.name}`, link)
      }
    }
  }

  /** Makes the classes that tell receivers apart. It all goes with the namespaces. @throws Error where `tc` fails */
  install(): void {
    const { hosts, device } = this.#options
    for (const { name, namespace } of hosts) {
      const lines = treeLines(
        device,
        this.#others(name).map(({ address }) => address),
      )
      runNow(this.#program, ['-n', namespace, '-batch', '-'], text(lines))
    }
  }

  /** Resolves when it is on. Where it cannot be, the links are as before. @throws Error what `tc` says */
  async add(id: number, links: readonly DirectedLink[], effect: LinkEffect): Promise<void> {
    for (const link of links) this.#mark(link)?.effects.set(id, effect)
    try {
      await this.#change()
    } catch (error) {
      await this.remove(id)
      throw error
    }
  }

  /** Resolves when it is off. */
  async remove(id: number): Promise<void> {
    for (const link of this.#links.values()) if (link.effects.delete(id)) this.#dirty.add(link)
    await this.#change()
  }

  #mark({ from, to }: DirectedLink): ShapedLink | undefined {
    const link = this.#links.get(`${from}>${to}`)
    if (link !== undefined) this.#dirty.add(link)
    return link
  }

  #others(name: string): readonly ShapedHost[] {
    return this.#options.hosts.filter((host) => host.name !== name)
  }

  #change(): Promise<void> {
    return this.#options.queue(async () => {
      const bySender = new Map<string, ShapedLink[]>()
      for (const link of this.#dirty) {
        bySender.set(link.namespace, [...(bySender.get(link.namespace) ?? []), link])
      }
      this.#dirty.clear()
      await Promise.all(Array.from(bySender, ([namespace, links]) => this.#shape(namespace, links)))
    })
  }

  async #shape(namespace: string, links: readonly ShapedLink[]): Promise<void> {
    const changed = links.flatMap((link) => {
      const stages = netemStages([...link.effects.values()])
      const wanted = JSON.stringify(stages)
      return link.stages === wanted ? [] : [{ link, stages, wanted }]
    })
    if (changed.length === 0) return
    const { device } = this.#options
    const lines = changed.flatMap(({ link, stages }) => {
      link.stages = undefined
      link.version++
      return stages.length === 0
        ? [clearLine(device, link.at)]
        : stageLines(device, link.at, stages, link.version)
    })
    await run(this.#program, ['-n', namespace, '-batch', '-'], text(lines))
    for (const { link, wanted } of changed) link.stages = wanted
  }
}

const text = (lines: readonly string[]): string => `${lines.join('\n')}\n`
