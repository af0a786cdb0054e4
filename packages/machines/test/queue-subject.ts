/** A queue machine with one queue, and short ways to speak with it. */
import assert from 'node:assert/strict'
import { RaftError } from '@troupe/core'
import { type DeliveryBatch, deliveriesIn } from '../src/queue/delivery-batch.ts'
import {
  queueQueries as ask,
  type FoundMessage,
  type Handle,
  type MessageOptions,
  type PeekedMessage,
  type QueueStats,
  queueCommands as q,
} from '../src/queue/queue-commands.ts'
import { QueueMachine } from '../src/queue/queue-machine.ts'
import type { QueueSettings } from '../src/queue/topology.ts'
import { codec, context, stateOf } from './support.ts'

export const LEASE_MS = 100

/** The queue `jobs`, with retries at once where the settings say nothing else. */
export class QueueSubject {
  readonly machine: QueueMachine
  nowMs = 0
  #index = 0

  constructor(settings: Partial<QueueSettings> = {}, options: Record<string, unknown> = {}) {
    this.machine = new QueueMachine(context(options))
    this.run(q.create('jobs', { backoffMs: 0, ...settings }))
  }

  run(command: unknown): unknown {
    return this.machine.apply(command, { index: ++this.#index, timeMs: this.nowMs })
  }

  /** What a refused command says, by its code. */
  refusal(command: unknown): string {
    const before = stateOf(this.machine)
    try {
      this.run(command)
    } catch (error) {
      assert.ok(RaftError.is(error, 'REJECTED'))
      assert.equal(stateOf(this.machine), before, 'nothing was done')
      return error.data.reason.split(' ')[0] as string
    }
    return 'none'
  }

  after(ms: number): void {
    this.nowMs += ms
    this.run(q.tick())
  }

  send(data: unknown, options: MessageOptions = {}): number {
    const positions = this.run(q.send('jobs', [q.message(data, options)])) as number | number[]
    return Array.isArray(positions) ? (positions[0] as number) : positions
  }

  subscribe(prefetch = 10, leaseMs = LEASE_MS, group = ''): number {
    return this.run(q.subscribe('jobs', group, prefetch, leaseMs)) as number
  }

  held(consumer: number): { data: unknown; handle: Handle; deliveries: number }[] {
    const batch = this.machine.query(ask.deliveries(consumer, 0, 100)) as DeliveryBatch | undefined
    return deliveriesIn(batch, codec).map(([slot, position, delivery, count, , message]) => ({
      data: message[0],
      handle: [slot, position, delivery],
      deliveries: count,
    }))
  }

  dataOf(consumer: number): unknown[] {
    return this.held(consumer).map(({ data }) => data)
  }

  handle(consumer: number, at = 0): Handle {
    return this.held(consumer)[at]?.handle as Handle
  }

  get stats(): QueueStats & QueueStats['groups'][0] {
    const stats = this.machine.query(ask.stats('jobs')) as QueueStats
    return { ...stats, ...(stats.groups[0] as QueueStats['groups'][0]) }
  }

  peek(waiting: 'ready' | 'delayed' | 'dead'): PeekedMessage[] {
    return this.machine.query(ask.peek('jobs', '', waiting, 100)) as PeekedMessage[]
  }

  find(id: string): FoundMessage | undefined {
    return this.machine.query(ask.get('jobs', id)) as FoundMessage | undefined
  }
}
