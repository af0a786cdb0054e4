/** The engine `tcp`: real nodes as processes, over TCP, behind a fault proxy or on real networks. */

import { effectsOf } from '../directing/deeds.ts'
import { type Abilities, neverMeasured, neverOnRealNodes } from '../real/able.ts'
import type { PlayOptions } from '../real/play.ts'
import { RealEngine } from '../real/real-engine.ts'
import type { Case } from '../scenario/read-scenario.ts'
import { namesIn, type Selector, type StepFields } from '../scenario/steps.ts'
import { type Visited, walk } from '../scenario/walk.ts'
import type { Problem } from '../schema/schema.ts'
import { lossProblem, networkProblem } from './namespace-network.ts'
import { NetemProbe } from './netem-problem.ts'
import { type NetworkKind, TcpCluster } from './tcp-cluster.ts'

export interface TcpEngineOptions {
  /**
   * What is between the nodes. `proxy`: a fault proxy, on the loopback. `namespaces`: a network namespace for each, where the
   * right to make them is there; what happens to links is done by the kernel: cuts, and what its netem does. @default 'proxy'
   */
  readonly network?: NetworkKind | undefined
  /** Modules that the processes of nodes load before anything else. @default none */
  readonly preload?: readonly URL[] | undefined
  /** What a person types to have the same: a flag, with a space before it. @default nothing */
  readonly flags?: string | undefined
  /** Which program is asked for netem. @default 'tc' */
  readonly tc?: string | undefined
}

const { flap: _, ...cannot } = neverOnRealNodes

const notOnStreams = 'TCP brings every byte once, and in its order'
const noOverflow = 'a stream has no queue that flows over: who sends too much waits'
const notInKernel = 'with --network namespaces the kernel does what happens to links'
const noJam = 'the kernel lets go of nothing that it was told to hold'

const cannotInNamespaces: Abilities['cannot'] = { flap: notInKernel, swizzle: noJam }

export class TcpEngine extends RealEngine {
  readonly name = 'tcp'
  protected readonly abilities: Abilities
  protected readonly play: Pick<PlayOptions, 'open' | 'order'>
  protected override readonly flags: string
  readonly #network: NetworkKind
  readonly #tc: string | undefined
  #found: Found | undefined

  constructor({ network = 'proxy', tc, preload, flags = '' }: TcpEngineOptions = {}) {
    super()
    this.#network = network
    this.#tc = tc
    this.flags = `${network === 'proxy' ? '' : ` --network ${network}`}${flags}`
    const isReal = network === 'namespaces'
    this.abilities = {
      engine: 'tcp',
      cannot: { ...cannot, ...(isReal ? cannotInNamespaces : {}) },
      cannotHappen: isReal ? {} : { duplicate: notOnStreams, reorder: notOnStreams, limit: noOverflow },
      cannotDieSilently:
        'the system closes the connections of a process: put a partition of the node beside it',
      cannotMeasure: { ...neverMeasured, framesLost: 'a stream loses nothing: what is lost is sent again' },
      durabilities: ['flush-before-ack', 'acked-before-flush'],
    }
    this.play = {
      open: (options) => {
        const shapes = isReal && this.#tools.netem?.missing === undefined
        return TcpCluster.open({ ...options, network, preload, shapes, tc })
      },
      // They come in the order of cause and effect.
      order: (take) => ({ push: take, ended: (_node, _drawn, tell) => tell(), finish: () => {} }),
    }
  }

  override unable(item: Case): readonly Problem[] {
    return [...super.unable(item), ...(this.#network === 'namespaces' ? this.#unableInNamespaces(item) : [])]
  }

  /** What is here is looked for once, and before anything runs. */
  get #tools(): Found {
    if (this.#found !== undefined) return this.#found
    const network = networkProblem()
    const netem = network === undefined ? new NetemProbe(this.#tc) : undefined
    this.#found = { network, loss: lossProblem(), netem }
    return this.#found
  }

  #unableInNamespaces({ scenario: { setup = [], phases } }: Case): Problem[] {
    const { network } = this.#tools
    if (network !== undefined) {
      const expected = `the right to make them: ${network}`
      return [{ path: ['engine'], value: '--network namespaces', expected }]
    }
    const problems: Problem[] = []
    let isMissing = false
    for (const visited of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
      problems.push(...notBetweenNodes(visited))
      const problem = this.#netemProblem(visited)
      // What is not here at all is told of once.
      if (problem === undefined || isMissing) continue
      isMissing = this.#tools.netem?.missing !== undefined
      problems.push(problem)
    }
    return problems
  }

  /** What netem would have to do and cannot, here or anywhere. */
  #netemProblem({ kind, fields, path }: Visited): Problem | undefined {
    if (kind !== 'network' && !isSlow(kind, fields)) return undefined
    const { netem, loss } = this.#tools
    const missing = netem?.missing
    if (missing !== undefined) {
      const isLoss = kind === 'network' && isPlainLoss(fields as StepFields['network'])
      if (isLoss && loss === undefined) return undefined
      const other = isLoss ? `; or iptables: ${loss}` : ''
      return { path, value: kind, expected: `for links between namespaces ${missing}${other}` }
    }
    const refused =
      kind === 'network' ? netem?.refused(effectsOf(fields as StepFields['network'])) : undefined
    return refused === undefined
      ? undefined
      : { path, value: kind, expected: `what netem does between namespaces here (${refused})` }
  }
}

/** Why there is no network, no loss by iptables, and whether there is netem. */
interface Found {
  readonly network: string | undefined
  readonly loss: string | undefined
  readonly netem: NetemProbe | undefined
}

function notBetweenNodes({ kind, fields, path }: Visited): Problem[] {
  if (kind === 'link' && (fields as StepFields['link']).mode === 'jam')
    return [{ path, value: 'jam', expected: `mode: drop or slow (${noJam})` }]
  if (kind === 'toxic' && isBetweenNodes(fields as StepFields['toxic']))
    return [{ path, value: kind, expected: `toxics of clients alone (${notInKernel})` }]
  if (kind !== 'network') return []
  const { on } = fields as StepFields['network']
  if (on !== undefined && [on.from, on.to].every((side) => !namesClients(side))) return []
  return (['duplicate', 'reorder', 'limit'] as const).flatMap((field) => {
    const value = (fields as StepFields['network'])[field]
    if (value === undefined) return []
    const why = 'clients come through the proxy, as streams'
    return [{ path: [...path, field], value, expected: `on: { from, to } with nodes alone (${why})` }]
  })
}

const isSlow = (kind: string, fields: unknown): boolean =>
  kind === 'link' && (fields as StepFields['link']).mode === 'slow'

/** What iptables can do too. */
const isPlainLoss = ({ loss, on: _on, for: _for, ...others }: StepFields['network']): boolean =>
  Object.values(others).every((each) => each === undefined) &&
  (typeof loss === 'number' || (loss !== undefined && (loss.correlation ?? 0) === 0))

const isBetweenNodes = ({ from, to }: StepFields['toxic']): boolean => ![from, to].some(namesClients)

const namesClients = (side: Selector): boolean => namesIn(side).some((name) => /^c(?:\d+|lients)$/.test(name))
