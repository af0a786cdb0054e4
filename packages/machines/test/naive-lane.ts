/** What the naive queue machine is made of. */

export interface NaiveOptions {
  readonly id?: string
  readonly key?: string
  readonly delayMs?: number
  readonly priority?: number
  readonly ttlMs?: number
  readonly attempts?: number
  readonly backoff?: readonly ['fixed' | 'exponential', number, number]
}

export interface NaiveSettings {
  readonly groups: readonly string[]
  readonly maxMessages: number
  readonly attempts: number
  readonly backoffMs: number
  readonly maxBackoffMs: number
  readonly maxLosses: number
  readonly rateMax?: number
  readonly ratePerMs?: number
}

export type State = 'ready' | 'delayed' | 'lined' | 'active' | 'dead'

export interface Entry {
  readonly position: number
  readonly lane: NaiveLane
  readonly options: NaiveOptions
  state: State
  timerMs: number
  expiresMs: number
  consumer: number
  delivery: number
  deliveries: number
  failures: number
  losses: number
  reason: string
  holdsKey: boolean
}

export interface NaiveConsumer {
  readonly id: number
  readonly lane: NaiveLane
  readonly leaseMs: number
  prefetch: number
  held: Entry[]
  delivery: number
  aliveUntilMs: number
  session: number
}

export class NaiveLane {
  readonly queue: NaiveQueue
  readonly number: number
  readonly group: string
  ready: Entry[] = []
  delayed: Entry[] = []
  lined: Entry[] = []
  dead: Entry[] = []
  idle: NaiveConsumer[] = []
  rateEndMs = 0
  rateCount = 0
  isAtRate = false
  activeOfKey = new Map<string, Entry>()

  constructor(queue: NaiveQueue, number: number, group: string) {
    this.queue = queue
    this.number = number
    this.group = group
  }
}

export interface NaiveQueue {
  readonly name: string
  readonly settings: NaiveSettings
  isPaused: boolean
  lanes: NaiveLane[]
}

export interface NaiveHandle {
  readonly lane: number
  readonly position: number
  readonly delivery: number
}
