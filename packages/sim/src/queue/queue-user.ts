/**
 * One client's use of the queue: it sends, and it is one consumer, which holds what was delivered until it settles that. What it
 * is told goes into the books.
 *
 *     send ─► positions            fetch ─► (subscribe) ─► deliveries ─► held ─► settle ─► faults, or not
 */
import type { PendingOperation } from '@troupe/check'
import { RaftError } from '@troupe/core'
import {
  type Call,
  type Consistency,
  type Delivery,
  type DeliveryBatch,
  deliveriesIn,
  type FaultyHandle,
  type Handle,
  type QueueStats,
  queueCommands,
  queueQueries,
} from '@troupe/machines'
import { codec } from '@troupe/wire'
import type { Coverage } from '../coverage.ts'
import type { Done } from '../sim-client.ts'
import type { QueueBooks, SentMessage } from './queue-books.ts'
import { QUEUE, type QueueWorkload } from './queue-plan.ts'

/** Whose user it is: a client of the simulation, or one of a real cluster. */
export interface QueueClient {
  readonly index: number
  readonly name: string
  readonly core: {
    propose(call: Call): void
    query(consistency: Consistency, node: string | undefined, call: Call, nowMs: number): void
  }
  /** To be called after anything was asked for. */
  turn(): void
}

export interface QueueUserHost {
  /** Whose time deadlines are in. */
  readonly scheduler: { readonly nowMs: number }
  readonly coverage: Coverage
  readonly queueBooks: QueueBooks
  complained(complaint: string): void
}

/** One for each client, where there is a queue. */
export function queueUsersOf(
  host: QueueUserHost & {
    readonly plan: { readonly queue: QueueWorkload }
    readonly simClients: readonly QueueClient[]
  },
): QueueUser[] {
  const { queue } = host.plan
  return queue.isOn ? host.simClients.map((client) => new QueueUser(host, client, queue)) : []
}

/** What becomes of a message that is held. */
export type Settling = 'ack' | 'nack' | 'term' | 'extend'

interface Held {
  readonly value: string
  readonly handle: Handle
}

/** Whoever waits for an answer; `failed` is told why there is none. */
interface Ending<Answer> {
  readonly got: (answer: Answer) => void
  readonly failed: (error: RaftError) => void
  readonly done: Done
}

const MOST_AT_ONCE = 64
const NO_CONSUMER = 0

const isUnknownConsumer = (error: RaftError): boolean =>
  RaftError.is(error, 'REJECTED') && error.data.reason.startsWith('UNKNOWN_CONSUMER')

export class QueueUser {
  readonly client: QueueClient
  readonly #host: QueueUserHost
  readonly #settings: QueueWorkload
  #lastValue = 0
  #lastNamed: SentMessage | undefined
  #consumer = NO_CONSUMER
  /** When it began to be that consumer: what a replica that is behind tells it is not older. */
  #since = 0
  #lastDelivery = 0
  #held: Held[] = []
  /** A replica that may be behind did not know it. */
  #isDoubtful = false
  #leaseMs: number

  constructor(host: QueueUserHost, client: QueueClient, settings: QueueWorkload) {
    this.#host = host
    this.client = client
    this.#settings = settings
    this.#leaseMs = settings.leaseMs
  }

  get heldCount(): number {
    return this.#held.length
  }

  /** Makes the queue. */
  create(timeoutMs: number, done: Done): void {
    const { attempts, backoffMs, maxMessages } = this.#settings
    const settings = { attempts, backoffMs, maxMessages, backoff: 'fixed', maxLosses: 255 } as const
    this.#propose(queueCommands.create(QUEUE, settings), timeoutMs, {
      got: () => {},
      failed: () => {},
      done,
    })
  }

  // ---- the producer

  /** Sends values that were never sent before. `done` is told whether that was acknowledged. */
  send(
    { key, named, count, delayMs }: { key: string; named: boolean; count: number; delayMs: number },
    timeoutMs: number,
    done: Done,
  ): void {
    const { queueBooks: books } = this.#host
    const messages = Array.from({ length: count }, () => {
      const value = `${this.client.name}.${++this.#lastValue}`
      return books.sending(this.client.index, value, key, named, delayMs > 0)
    })
    if (named) this.#lastNamed = messages.at(-1)
    this.#send(messages, delayMs, timeoutMs, done)
  }

  /** The last message with an id once more. False where that makes no sense. */
  sendAgain(timeoutMs: number, done: Done): boolean {
    const message = this.#lastNamed
    // Of one that was refused it is told that it never was: it stays so.
    if (message === undefined || message.isUnderWay) return false
    if (message.pending === undefined && !message.isAcknowledged) return false
    message.isRepeated = true
    message.isUnderWay = true
    this.#count('repeatedSends')
    this.#send([message], 0, timeoutMs, done)
    return true
  }

  #send(messages: readonly SentMessage[], delayMs: number, timeoutMs: number, done: Done): void {
    const { queueBooks: books } = this.#host
    const outgoing = messages.map(({ value, key, hasId }) =>
      queueCommands.message(value, {
        ...(hasId ? { id: value } : {}),
        ...(key === '' ? {} : { key }),
        ...(delayMs > 0 ? { delayMs } : {}),
      }),
    )
    this.#propose<number | number[]>(queueCommands.send(QUEUE, outgoing), timeoutMs, {
      got: (positions) => {
        for (const [at, message] of messages.entries()) {
          const position = typeof positions === 'number' ? positions + at : (positions[at] as number)
          message.isUnderWay = false
          this.#complain(books.acknowledged(message, Math.abs(position), position < 0))
        }
        this.#count('sends', messages.length)
      },
      failed: ({ code }) => {
        const outcome = code === 'INDETERMINATE' ? 'open' : 'fail'
        if (outcome === 'open') this.#count('openSends', messages.length)
        for (const message of messages) {
          message.isUnderWay = false
          books.refused(message, outcome)
        }
      },
      done,
    })
  }

  // ---- the consumer

  /** Subscribes where it is no consumer, otherwise takes what was delivered to it. */
  fetch(consistency: Consistency, node: string | undefined, timeoutMs: number, done: Done): void {
    if (this.#consumer === NO_CONSUMER) return this.#subscribe(timeoutMs, done)
    const isStale = consistency === 'stale' && !this.#isDoubtful
    const consumer = this.#consumer
    const { queueBooks: books } = this.#host
    // What a replica that is behind tells was so at some time since it subscribed, not necessarily since it asked.
    const calledAt = isStale ? this.#since : books.now
    const pending = books.history.invoke(this.client.index, { op: 'dequeue' }, calledAt)
    const ask = isStale ? queueQueries.awaitDeliveries : queueQueries.deliveries
    const query = ask(consumer, this.#lastDelivery, MOST_AT_ONCE)
    this.#query<DeliveryBatch | undefined>(query, isStale ? 'stale' : 'linearizable', node, timeoutMs, {
      got: (found) => {
        this.#isDoubtful = false
        pending.ok(this.#take(consumer, deliveriesIn(found, codec)))
      },
      failed: (error) => {
        pending.fail()
        if (!isUnknownConsumer(error) || consumer !== this.#consumer) return
        if (isStale) this.#isDoubtful = true
        else this.#forget()
      },
      done,
    })
  }

  #take(consumer: number, found: readonly Delivery[]): string[] {
    // An answer to a consumer of before.
    if (consumer !== this.#consumer) return []
    const values: string[] = []
    for (const [slot, position, delivery, deliveries, , message] of found) {
      // Two questions at once have the same answer.
      if (delivery <= this.#lastDelivery) continue
      this.#lastDelivery = delivery
      const value = message[0] as string
      this.#complain(this.#host.queueBooks.delivered(value, position))
      this.#held.push({ value, handle: [slot, position, delivery] })
      this.#count(deliveries > 1 ? 'redeliveries' : 'deliveries')
      values.push(value)
    }
    return values
  }

  #subscribe(timeoutMs: number, done: Done): void {
    const { prefetch } = this.#settings
    const since = this.#host.queueBooks.now
    this.#propose<number>(queueCommands.subscribe(QUEUE, '', prefetch, this.#leaseMs), timeoutMs, {
      got: (consumer) => {
        // Two at once: the other one will be gone when its lease ends.
        this.#forget()
        this.#consumer = consumer
        this.#since = since
      },
      failed: () => {},
      done,
    })
  }

  /** From now on it is another consumer, with leases that are long enough for whatever it does. */
  beginAnew(leaseMs: number): void {
    this.#forget()
    this.#leaseMs = leaseMs
  }

  #forget(): void {
    this.#consumer = NO_CONSUMER
    this.#lastDelivery = 0
    this.#held = []
    this.#isDoubtful = false
  }

  /** False where there is nothing to settle. An extend without anything held is a sign of life. */
  settle(how: Settling, most: number, timeoutMs: number, done: Done): boolean {
    const consumer = this.#consumer
    const settled = how === 'extend' ? this.#held.slice(0, most) : this.#held.splice(0, most)
    if (consumer === NO_CONSUMER || (settled.length === 0 && how !== 'extend')) return false
    const values = settled.map(({ value }) => value)
    const { queueBooks: books } = this.#host
    const acks =
      how === 'ack'
        ? values.map((value) => books.history.invoke(this.client.index, { op: 'ack', value }))
        : []
    if (how !== 'extend') books.settling(values)
    const command = this.#settlement(
      how,
      consumer,
      settled.map(({ handle }) => handle),
    )
    this.#propose<readonly (FaultyHandle | number)[] | undefined>(command, timeoutMs, {
      got: (faulty) => this.#settled(values, acks, new Set((faulty ?? []).map(offsetOf))),
      failed: (error) => {
        for (const ack of acks)
          if (error.code === 'INDETERMINATE') ack.open()
          else ack.fail()
        if (isUnknownConsumer(error) && consumer === this.#consumer) this.#forget()
      },
      done,
    })
    return true
  }

  #settlement(how: Settling, consumer: number, handles: readonly Handle[]): unknown {
    // Each consumer has its own way.
    if (how === 'ack' && consumer % 2 === 0) return queueCommands.ackRuns(consumer, handles)
    if (how === 'ack') return queueCommands.ack(consumer, handles)
    if (how === 'nack') return queueCommands.nack(consumer, handles, null, 'of no use')
    if (how === 'term') return queueCommands.term(consumer, handles, 'of no use at all')
    return queueCommands.extend(consumer, handles, this.#leaseMs)
  }

  #settled(
    values: readonly string[],
    acks: readonly PendingOperation<undefined>[],
    faults: ReadonlySet<number>,
  ): void {
    this.#count('lateSettlements', faults.size)
    for (const [offset, value] of values.entries()) {
      const ack = acks[offset]
      if (faults.has(offset)) ack?.fail()
      else if (ack === undefined) this.#count('otherSettlements')
      else {
        this.#count('acks')
        this.#complain(this.#host.queueBooks.acked(value))
        ack.ok(undefined)
      }
    }
  }

  /** False where it is no consumer. */
  leave(isSilent: boolean, timeoutMs: number, done: Done): boolean {
    const consumer = this.#consumer
    if (consumer === NO_CONSUMER) return false
    this.#forget()
    if (isSilent) done(true)
    else this.#propose(queueCommands.leave(consumer), timeoutMs, { got: () => {}, failed: () => {}, done })
    return true
  }

  redrive(timeoutMs: number, done: Done): void {
    this.#propose(queueCommands.redrive(QUEUE, '', MOST_AT_ONCE), timeoutMs, {
      got: () => {},
      failed: () => {},
      done,
    })
  }

  stats(timeoutMs: number, got: (stats: QueueStats) => void, done: Done): void {
    this.#query(queueQueries.stats(QUEUE), 'linearizable', undefined, timeoutMs, {
      got,
      failed: () => {},
      done,
    })
  }

  // ---- calls

  #propose<Result>(command: unknown, timeoutMs: number, ending: Ending<Result>): void {
    this.client.core.propose(this.#call(command, timeoutMs, ending))
  }

  #query<Answer>(
    query: unknown,
    consistency: Consistency,
    node: string | undefined,
    timeoutMs: number,
    ending: Ending<Answer>,
  ): void {
    const named = consistency === 'stale' ? node : undefined
    const { nowMs } = this.#host.scheduler
    this.client.core.query(consistency, named, this.#call(query, timeoutMs, ending), nowMs)
  }

  #call<Answer>(command: unknown, timeoutMs: number, { got, failed, done }: Ending<Answer>) {
    const { scheduler, coverage } = this.#host
    return {
      command,
      commands: undefined,
      deadlineMs: scheduler.nowMs + timeoutMs,
      settled: false,
      resolve: (value: unknown) => {
        got(value as Answer)
        done(true)
      },
      reject: (error: RaftError) => {
        coverage.refusals++
        if (error.code === 'PROTOCOL') this.#complain(`${error.code}: ${error.message}`)
        if (RaftError.is(error, 'REJECTED') && !/^(QUEUE_FULL|UNKNOWN_)/.test(error.data.reason))
          this.#complain(error.message)
        failed(error)
        done(false, error.code)
      },
    }
  }

  #complain(complaint: string | undefined): void {
    if (complaint !== undefined) this.#host.complained(`client ${this.client.index}, queue: ${complaint}`)
  }

  #count(what: keyof Coverage, by = 1): void {
    const { coverage } = this.#host
    coverage[what] = (coverage[what] ?? 0) + by
  }
}

const offsetOf = (fault: FaultyHandle | number): number => (typeof fault === 'number' ? fault : fault[0])
