/**
 * What clients were told about a queue, held against what a queue must do. Every value is sent once, under its own name, so that
 * a delivery says which send it is of.
 *
 *     at once:     a value that was never sent; another position than before; a second ack that is accepted; a duplicate taken as new
 *     at the end:  total-queue (check/queue-check.ts), the order of each key, and the books of the machine
 */
import { checkQueue, History, type PendingOperation, type QueueInput, type QueueOutput } from '@troupe/check'
import type { QueueStats } from '@troupe/machines'

/** A message, from its send on. */
export interface SentMessage {
  readonly value: string
  readonly client: number
  /** '' for none. */
  readonly key: string
  readonly hasId: boolean
  readonly isDelayed: boolean
  /** Whether it was sent more than once: then its place among the others is open. */
  isRepeated: boolean
  /** Whether nobody has answered its latest send yet. */
  isUnderWay: boolean
  isAcknowledged: boolean
  /** Undefined once it is known whether it was sent. */
  pending: PendingOperation<QueueOutput<string>> | undefined
  /** Undefined until anybody was told. */
  position: number | undefined
  /** In which order: its first delivery, and when somebody first asked to be rid of it. */
  deliveredAt: number
  settledAt: number
  /** Acks that were accepted. */
  acks: number
}

export class QueueBooks {
  readonly history = new History<QueueInput<string>, QueueOutput<string>>()
  readonly #sent = new Map<string, SentMessage>()
  #isDrained = false
  #moment = 0
  #stats: QueueStats | undefined

  /** The number of the next event: what was recorded before has a lower one. */
  get now(): number {
    return this.history.events.length
  }

  /** Different messages. */
  get messageCount(): number {
    return this.#sent.size
  }

  sending(client: number, value: string, key: string, hasId: boolean, isDelayed: boolean): SentMessage {
    const message: SentMessage = {
      ...{ value, client, key, hasId, isDelayed, isRepeated: false, position: undefined, acks: 0 },
      ...{ isUnderWay: true, isAcknowledged: false },
      pending: this.history.invoke(client, { op: 'enqueue', value }),
      deliveredAt: Number.POSITIVE_INFINITY,
      settledAt: Number.POSITIVE_INFINITY,
    }
    this.#sent.set(value, message)
    return message
  }

  /** A send was acknowledged, under this position. Undefined, or what is wrong with that. */
  acknowledged(message: SentMessage, position: number, isDuplicate: boolean): string | undefined {
    const wasKnown = message.isAcknowledged
    message.pending?.ok(undefined)
    message.pending = undefined
    message.isAcknowledged = true
    if (!message.isRepeated && isDuplicate) return `${message.value} was sent once, and is told a duplicate`
    if (wasKnown && !isDuplicate) return `${message.value} is enqueued twice: its id was known`
    return this.#locate(message, position)
  }

  #locate(message: SentMessage, position: number): string | undefined {
    const known = message.position
    message.position = position
    if (known === undefined || known === position) return undefined
    return `${message.value} is enqueued twice: at ${known} and at ${position}`
  }

  /** A send was refused (`fail`), or nobody knows. Only the first send of a message decides that it did not happen. */
  refused(message: SentMessage, outcome: 'fail' | 'open'): void {
    if (message.isRepeated) return
    // An open one may be sent again, and be acknowledged then.
    if (outcome === 'open') return
    message.pending?.fail()
    message.pending = undefined
  }

  /** Somebody was given a value. Undefined, or what is wrong with that. */
  delivered(value: string, position: number): string | undefined {
    const message = this.#sent.get(value)
    if (message === undefined) return `${value} is delivered, and was never sent`
    message.deliveredAt = Math.min(message.deliveredAt, ++this.#moment)
    return this.#locate(message, position)
  }

  /** Somebody asks to ack, nack or bury them. */
  settling(values: readonly string[]): void {
    this.#moment++
    for (const message of this.#all(values)) message.settledAt = Math.min(message.settledAt, this.#moment)
  }

  /** An ack was accepted. Undefined, or what is wrong with that. */
  acked(value: string): string | undefined {
    const message = this.#sent.get(value) as SentMessage
    message.acks++
    if (message.acks > 1) return `${value} was assigned again after its ack: a second ack is accepted`
    return undefined
  }

  #all(values: readonly string[]): SentMessage[] {
    return values.map((value) => this.#sent.get(value) as SentMessage)
  }

  get isDrained(): boolean {
    return this.#isDrained
  }

  /** Nothing but dead messages is left, said the machine. */
  drained(stats: QueueStats): void {
    this.#isDrained = true
    this.#stats = stats
  }

  /** Undefined where all is as it should be. */
  complaint(): string | undefined {
    const { verdict, lost, unexpected, redeliveredAfterAck } = checkQueue(this.history.operations(), {
      isDrained: this.#isDrained,
    })
    if (verdict === 'fail')
      return `total-queue: lost ${lost}; unexpected ${unexpected}; delivered after an ack ${redeliveredAfterAck}`
    return this.#orderComplaint() ?? this.#sumsComplaint()
  }

  /** A message is delivered only when somebody has asked to be rid of the one before it of its key. */
  #orderComplaint(): string | undefined {
    const located = [...this.#sent.values()].filter(({ position }) => position !== undefined)
    const chains = Map.groupBy(
      located.filter(({ key, isDelayed }) => key !== '' && !isDelayed),
      ({ key }) => key,
    )
    for (const chain of chains.values()) {
      const inOrder = chain.toSorted((left, right) => (left.position ?? 0) - (right.position ?? 0))
      const complaint = overtaken(inOrder) ?? outOfTurn(chain)
      if (complaint !== undefined) return complaint
    }
    return undefined
  }

  /** What the machine counted is what clients know of, but for sends of which nobody knows. */
  #sumsComplaint(): string | undefined {
    const stats = this.#stats
    const group = stats?.groups[0]
    if (stats === undefined || group === undefined) return undefined
    const { acked, dead } = group
    if (acked + dead !== stats.sent) return `${stats.sent} were sent, ${acked} acked, ${dead} are dead`
    const messages = [...this.#sent.values()]
    const least = messages.filter(({ position }) => position !== undefined).length
    const most = least + messages.filter(({ pending, position }) => pending && position === undefined).length
    if (stats.sent < least || stats.sent > most)
      return `the machine took ${stats.sent} messages, clients know of ${least} to ${most}`
    return undefined
  }
}

function overtaken(chain: readonly SentMessage[]): string | undefined {
  for (const [at, later] of chain.entries()) {
    const earlier = chain[at - 1]
    if (earlier === undefined || later.deliveredAt > earlier.settledAt) continue
    if (later.deliveredAt === Number.POSITIVE_INFINITY) continue
    return `${later.value} of key ${later.key} is delivered before anybody is done with ${earlier.value}`
  }
  return undefined
}

/** One producer's messages of a key stand in the order in which it sent them. */
function outOfTurn(chain: readonly SentMessage[]): string | undefined {
  const last = new Map<number, SentMessage>()
  for (const message of chain) {
    if (message.isRepeated) continue
    const before = last.get(message.client)
    if (before !== undefined && (before.position ?? 0) > (message.position ?? 0))
      return `${message.value} was sent after ${before.value}, and stands before it`
    last.set(message.client, message)
  }
  return undefined
}
