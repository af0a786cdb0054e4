/** The engine `tcp`: real nodes as processes, over TCP, behind a fault proxy or on real networks. */

import { type Abilities, neverOnRealNodes } from '../real/able.ts'
import type { PlayOptions } from '../real/play.ts'
import { RealEngine } from '../real/real-engine.ts'
import type { Case } from '../scenario/read-scenario.ts'
import type { StepFields, StepKind } from '../scenario/steps.ts'
import { walk } from '../scenario/walk.ts'
import type { Problem } from '../schema/schema.ts'
import { lossProblem, networkProblem } from './namespace-network.ts'
import { type NetworkKind, TcpCluster } from './tcp-cluster.ts'

export interface TcpEngineOptions {
  /**
   * What is between the nodes. `proxy`: a fault proxy, on the loopback. `namespaces`: a network namespace for each, where the
   * right to make them is there; what happens to links is done by the kernel, and is cuts and loss alone. @default 'proxy'
   */
  readonly network?: NetworkKind | undefined
  /** Modules that the processes of nodes load before anything else. @default none */
  readonly preload?: readonly URL[] | undefined
  /** What a person types to have the same: a flag, with a space before it. @default nothing */
  readonly flags?: string | undefined
}

const { flap: _, ...cannot } = neverOnRealNodes

const notOnStreams = 'TCP brings every byte once, and in its order'
const notInKernel = 'with --network namespaces the kernel cuts and loses, no more'

const cannotInNamespaces: Readonly<Partial<Record<StepKind, string>>> = {
  flap: notInKernel,
}

export class TcpEngine extends RealEngine {
  readonly name = 'tcp'
  protected readonly abilities: Abilities
  protected readonly play: Pick<PlayOptions, 'open' | 'order'>
  protected override readonly flags: string
  readonly #network: NetworkKind
  #problems: { readonly network: string | undefined; readonly loss: string | undefined } | undefined

  constructor({ network = 'proxy', preload, flags = '' }: TcpEngineOptions = {}) {
    super()
    this.#network = network
    this.flags = `${network === 'proxy' ? '' : ` --network ${network}`}${flags}`
    const isReal = network === 'namespaces'
    const more = isReal
      ? { delay: notInKernel, burst: notInKernel, corrupt: notInKernel, rate: notInKernel }
      : {}
    this.abilities = {
      engine: 'tcp',
      cannot: { ...cannot, ...(isReal ? cannotInNamespaces : {}) },
      cannotHappen: { duplicate: notOnStreams, reorder: notOnStreams, ...more },
      durabilities: ['flush-before-ack', 'acked-before-flush'],
    }
    this.play = {
      open: (options) => TcpCluster.open({ ...options, network, preload }),
      // They come in the order of cause and effect.
      order: (take) => ({ push: take, finish: () => {} }),
    }
  }

  override unable(item: Case): readonly Problem[] {
    return [...super.unable(item), ...(this.#network === 'namespaces' ? this.#unableInNamespaces(item) : [])]
  }

  /** The right is looked for once, and before anything runs. */
  #unableInNamespaces({ scenario: { setup = [], phases } }: Case): Problem[] {
    this.#problems ??= { network: networkProblem(), loss: lossProblem() }
    const { network, loss } = this.#problems
    if (network !== undefined)
      return [
        { path: ['engine'], value: '--network namespaces', expected: `the right to make them: ${network}` },
      ]
    const problems: Problem[] = []
    for (const { kind, fields, path } of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
      if (kind === 'link' && (fields as StepFields['link']).mode !== 'drop')
        problems.push({
          path,
          value: (fields as StepFields['link']).mode,
          expected: `mode: drop (${notInKernel})`,
        })
      if (kind === 'toxic' && isBetweenNodes(fields as StepFields['toxic']))
        problems.push({ path, value: kind, expected: `toxics of clients alone (${notInKernel})` })
      if (kind === 'network' && loss !== undefined && (fields as StepFields['network']).loss !== undefined)
        problems.push({ path: [...path, 'loss'], value: '', expected: `iptables here: ${loss}` })
    }
    return problems
  }
}

const isBetweenNodes = ({ from, to }: StepFields['toxic']): boolean =>
  [from, to].every((side) => !/^c(?:\d+|lients)$/.test(String(side)))
