/**
 * Acks and nacks of one consumer on their way: acks of one turn of the event loop are one command, and those that come while a command
 * of acks is under way are the next one, as in Nagle's algorithm (RFC 896): one that is waited for goes at once, many that follow each
 * other cost the log few entries. So many that they would make room for much do not wait.
 *
 *     delivery.ack() ─┐
 *     delivery.ack() ─┴─(setImmediate)─► one ack command ─► a fault, or not, for each
 *     delivery.ack() ───(the answer)───► the next
 */
import type { Client } from '@troupe/cluster'
import { type FaultyHandle, type Handle, HandleFault, queueCommands } from '@troupe/machines'
import { handleError, QueueError, queueError } from './queue-errors.ts'

/** Most handles of one command. */
const MAX_BATCH = 1000
/** Acks of this part of what a consumer may hold wait for nothing: there are messages for its room. */
const ROOM_SHARE = 4

/** Undefined where there is none. */
type Faulty = readonly FaultyHandle[] | undefined
type Results = readonly unknown[] | null | undefined

interface Settlement {
  readonly handle: Handle
  /** Undefined where nobody waits for it. */
  readonly result: unknown
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Settlements {
  readonly #client: Pick<Client, 'propose'>
  readonly #consumer: number
  readonly #prefetch: () => number
  #acks: Settlement[] = []
  #scheduled = false
  /** Commands of acks without an answer. */
  #outstanding = 0

  /** @param prefetch how many the consumer may hold now */
  constructor(client: Pick<Client, 'propose'>, consumer: number, prefetch: () => number) {
    this.#client = client
    this.#consumer = consumer
    this.#prefetch = prefetch
  }

  ack(handle: Handle, result: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#acks.push({ handle, result, resolve, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => this.#turnEnded())
    })
  }

  #turnEnded(): void {
    this.#scheduled = false
    const isMuch = this.#acks.length * ROOM_SHARE >= this.#prefetch()
    if (this.#outstanding === 0 || isMuch) this.flush()
  }

  /** Acks that wait go now: before what their consumer says next. */
  flush(): void {
    // Handlers end in any order: in that of their deliveries they are the fewest runs.
    const acks = this.#acks.sort(byDelivery)
    this.#acks = []
    for (let at = 0; at < acks.length; at += MAX_BATCH) void this.#send(acks.slice(at, at + MAX_BATCH))
  }

  async #send(acks: readonly Settlement[]): Promise<void> {
    const handles = acks.map(({ handle }) => handle)
    this.#outstanding++
    try {
      const faulty = await this.#sendRuns(handles, resultsOf(acks))
      for (const [offset, fault] of faulty ?? NONE) acks[offset]?.reject(handleError(fault))
      // A promise that was rejected stays so.
      for (const { resolve } of acks) resolve()
    } catch (error) {
      for (const { reject } of acks) reject(settlementError(error))
    } finally {
      this.#outstanding--
      if (this.#outstanding === 0) this.flush()
    }
  }

  /** What is acked in the order in which it was delivered is a few numbers. Of what was not acked so each one is asked about. */
  async #sendRuns(handles: readonly Handle[], results: Results): Promise<Faulty> {
    const missed = await this.#client.propose<readonly number[] | undefined>(
      queueCommands.ackRuns(this.#consumer, handles, results),
    )
    if (missed === undefined) return undefined
    const those = missed.map((offset) => handles[offset] as Handle)
    const theirs = results && missed.map((offset) => results[offset])
    const all = theirs === null ? those.map(() => null) : theirs
    const faulty = await this.#client.propose<Faulty>(queueCommands.ack(this.#consumer, those, all))
    return faulty?.map(([at, fault]) => [missed[at] as number, fault])
  }

  /** Leases begin anew, with the consumer's life. Resolves with the offsets of those that had ended. @throws as `one` */
  async extend(handles: readonly Handle[], leaseMs: number): Promise<readonly number[]> {
    const command = queueCommands.extend(this.#consumer, handles, leaseMs)
    const faulty = await this.#client
      .propose<readonly FaultyHandle[] | undefined>(command)
      .catch((error: unknown) => {
        throw settlementError(error)
      })
    return (faulty ?? NONE).map(([offset]) => offset)
  }

  /** @throws as `one` */
  async progress(handle: Handle, value: unknown): Promise<void> {
    const command = queueCommands.progress(this.#consumer, handle, value)
    const fault = await this.#client.propose<HandleFault | undefined>(command).catch((error: unknown) => {
      throw settlementError(error)
    })
    if (fault !== undefined) throw handleError(fault)
  }

  /** A command about one handle. @throws QueueError ALREADY_SETTLED, LEASE_ENDED */
  async one(command: unknown): Promise<void> {
    const faulty = await this.#client
      .propose<readonly FaultyHandle[] | undefined>(command)
      .catch((error: unknown) => {
        throw settlementError(error)
      })
    const [fault] = faulty ?? []
    if (fault !== undefined) throw handleError(fault[1])
  }
}

/** One for each, null where none of them has more to tell, undefined where nobody would be told. */
function resultsOf(acks: readonly Settlement[]): Results {
  if (acks.every(({ result }) => result === undefined)) return undefined
  if (acks.every(({ result }) => result === undefined || result === null)) return null
  return acks.map(({ result }) => result ?? null)
}

const byDelivery = (one: Settlement, other: Settlement): number => one.handle[2] - other.handle[2]

/** For offsets of handles, so that none has to be found. */
const NONE: readonly FaultyHandle[] = []

/** A consumer that is gone holds nothing: all its leases have ended. */
function settlementError(error: unknown): unknown {
  const known = queueError(error)
  const isGone = known instanceof QueueError && known.code === 'UNKNOWN_CONSUMER'
  return isGone ? handleError(HandleFault.notHeld) : known
}
