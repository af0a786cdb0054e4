/** Where effects on links are switched on and off: at the proxy, and between nodes of real networks in the kernel. */
import type { DirectedLink, LinkEffect, LinkRule } from '@troupe/faults'
import type { FaultProxy } from '../proxy/fault-proxy.ts'
import type { ClientLinkFaults } from '../real/real-cluster.ts'
import { proxyEffectOf } from './effects.ts'
import type { NamespaceNetwork } from './namespace-network.ts'

export class LinkBoard {
  readonly #proxy: FaultProxy
  readonly #network: NamespaceNetwork | undefined
  readonly #nodes: readonly string[]
  readonly #undo = new Map<number, () => Promise<void>>()
  /** Links that are cut by the kernel, and by how many. */
  readonly #cuts = new Map<string, number>()

  constructor(proxy: FaultProxy, network: NamespaceNetwork | undefined, nodes: readonly string[]) {
    this.#proxy = proxy
    this.#network = network
    this.#nodes = nodes
  }

  /** Between nodes. Resolves when it is on. */
  async add(id: number, { links, effect }: LinkRule): Promise<void> {
    const all = links === 'all' ? waysBetween(this.#nodes, this.#nodes) : links
    if (this.#network === undefined) {
      const applied = this.#proxy.apply(all, known(effect))
      this.#undo.set(id, async () => this.#proxy.remove(applied))
      return
    }
    const { shaper } = this.#network
    if (shaper !== undefined && !isCut(effect)) {
      this.#undo.set(id, () => shaper.remove(id))
      return shaper.add(id, all, effect)
    }
    this.#undo.set(id, () => this.#harm(all, effect, false))
    await this.#harm(all, effect, true)
  }

  async remove(id: number): Promise<void> {
    const undo = this.#undo.get(id)
    this.#undo.delete(id)
    await undo?.()
  }

  /** Between clients and nodes: always at the proxy. */
  ofClients(clients: readonly string[]): ClientLinkFaults {
    const applied = new Map<number, number>()
    const all = [...waysBetween(clients, this.#nodes), ...waysBetween(this.#nodes, clients)]
    return {
      add: (id, { links, effect }) => {
        applied.set(id, this.#proxy.apply(links === 'all' ? all : links, known(effect)))
      },
      remove: (id) => this.#proxy.remove(applied.get(id) ?? 0),
      hangUp: (client, node) => this.#proxy.hangUp(client, node) > 0,
    }
  }

  /** By the kernel, without netem. Several cuts of one link are one. */
  async #harm(links: readonly DirectedLink[], effect: LinkEffect, isOn: boolean): Promise<void> {
    if (effect.kind === 'loss' && 'percent' in effect) return this.#network?.lose(links, effect.percent, isOn)
    if (!isCut(effect)) throw new Error(`not refused: ${effect.kind}`)
    const changed = links.filter(({ from, to }) => {
      const name = `${from}>${to}`
      const before = this.#cuts.get(name) ?? 0
      this.#cuts.set(name, before + (isOn ? 1 : -1))
      return isOn ? before === 0 : before === 1
    })
    if (changed.length > 0) await this.#network?.cut(changed, isOn)
  }
}

const isCut = (effect: LinkEffect): boolean => effect.kind === 'link' && effect.mode === 'drop'

function known(effect: LinkEffect): NonNullable<ReturnType<typeof proxyEffectOf>> {
  const proxied = proxyEffectOf(effect)
  if (proxied === undefined) throw new Error(`not refused: ${effect.kind}`)
  return proxied
}

const waysBetween = (from: readonly string[], to: readonly string[]): DirectedLink[] =>
  from.flatMap((one) => to.filter((other) => other !== one).map((other) => ({ from: one, to: other })))
