/** The engine `threads`: real nodes on worker threads, in real time. */
import type { Abilities } from '../real/able.ts'
import { neverMeasured, neverOnRealNodes, onlyOnStreams } from '../real/able.ts'
import { NumberedOrder } from '../real/chunk-order.ts'
import type { PlayOptions } from '../real/play.ts'
import { RealEngine } from '../real/real-engine.ts'
import { ThreadsCluster } from './threads-cluster.ts'

export interface ThreadsEngineOptions {
  /** The module of the nodes' workers. @default that of `@troupe/lab/node-worker` */
  readonly worker?: URL | undefined
  /** What these find under `laboratory` in what they are started with. */
  readonly workerData?: Readonly<Record<string, unknown>> | undefined
  /** A folder for the recordings of all nodes, a folder in it for each run. @default nothing is recorded */
  readonly record?: string | undefined
  /** What a person types to have the same worker: a flag, with a space before it. @default nothing */
  readonly flags?: string | undefined
}

export class ThreadsEngine extends RealEngine {
  readonly name = 'threads'
  protected readonly abilities: Abilities = {
    engine: 'threads',
    cannot: {
      ...neverOnRealNodes,
      ...onlyOnStreams,
    },
    cannotHappenToClients: { duplicate: 'a connection of a client brings each frame once' },
    cannotMeasure: { ...neverMeasured },
    durabilities: ['flush-before-ack', 'acked-before-flush', 'memory'],
  }
  protected readonly play: Pick<PlayOptions, 'open' | 'order'>

  protected override readonly flags: string

  constructor({ worker, workerData, record, flags = '' }: ThreadsEngineOptions = {}) {
    super()
    this.flags = flags
    this.play = {
      open: (options) => ThreadsCluster.open({ ...options, worker, workerData, record }),
      order: (take, late) => new NumberedOrder(take, late),
    }
  }
}
