/** What the machine refuses, and what is wrong at the edge, as errors to switch on. */
import { RaftError } from '@troupe/core'
import { HandleFault, type QueueRefusal } from '@troupe/machines'

/**
 * Refusals of the machine, `BAD_COMMAND` among them for an option out of range and for a message above the machine's limit; what is wrong
 * with a delivery that is settled; `INVALID_DATA` for a payload that was never sent: it has no encoding, or does not fit the schema.
 */
export type QueueErrorCode = QueueRefusal | 'ALREADY_SETTLED' | 'LEASE_ENDED' | 'INVALID_DATA'

/** A literal `code` to switch on, a message for people. What went wrong below the queue stays a RaftError. */
export class QueueError extends Error {
  override readonly name = 'QueueError'
  readonly code: QueueErrorCode

  constructor(code: QueueErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Around the machine's words: what it is, and what to do. */
const WORDS: Partial<Record<QueueErrorCode, readonly [before: string, after: string]>> = {
  UNKNOWN_QUEUE: [
    'there is no queue ',
    ': Queue.open and Queue.connect make it, unless they are told `create: false`',
  ],
  UNKNOWN_GROUP: ['there is no group ', ': name it in the setting `groups` when the queue is opened'],
  UNKNOWN_CONSUMER: [
    'there is no consumer ',
    ': it was silent for too long, or its connection has closed; consume again',
  ],
  TOO_MANY: [
    'there may be no more ',
    ': close consumers and give up groups that nobody needs, or raise machineOptions.maxConsumers or maxLanes',
  ],
  QUEUE_FULL: ['', ": consume, purge, raise its bounds, or send with whenFull: 'wait'"],
  QUEUE_IN_USE: ['', ': consume or purge its messages and close its consumers first'],
}

/** Of a message that is too large: nothing else tells a size. */
const SIZE = / bytes, of at most \d+$/

/** What is wrong with a command takes as many words as there are options; what to do about it takes these. */
const adviceOn = (wrong: string): string =>
  SIZE.test(wrong)
    ? ': nothing was done; keep what is large elsewhere and send where it is, or raise machineOptions.maxMessageBytes'
    : ': nothing was done; mend it and call again'

/** A refusal of the machine as a {@link QueueError}; any other error as it is. */
export function queueError(error: unknown): unknown {
  if (RaftError.is(error, 'INVALID_COMMAND')) return invalidData(error.message, error)
  if (!RaftError.is(error, 'REJECTED')) return error
  const [, code, text] = /^([A-Z_]+) (.*)$/s.exec(error.data.reason) ?? []
  if (code === undefined || text === undefined) return error
  const [before, after] = WORDS[code as QueueRefusal] ?? ['', code === 'BAD_COMMAND' ? adviceOn(text) : '']
  return new QueueError(code as QueueRefusal, `${before}${text}${after}`, { cause: error })
}

export function invalidData(reason: string, cause?: unknown): QueueError {
  const options = cause === undefined ? undefined : { cause }
  return new QueueError('INVALID_DATA', `the payload cannot be sent: ${reason}`, options)
}

export const isRefused = (error: unknown, code: QueueErrorCode): boolean =>
  error instanceof QueueError && error.code === code

export function handleError(fault: HandleFault): QueueError {
  return fault === HandleFault.gone
    ? new QueueError(
        'ALREADY_SETTLED',
        'the message is no more: it was acked, cancelled, purged or has expired before; nothing is left to do for it',
      )
    : new QueueError(
        'LEASE_ENDED',
        'this consumer does not hold the message: its lease has ended, or its connection has closed; it was, or will be, delivered again: leave it to whoever has it then, and where work takes longer, call extend in time or consume with a longer leaseMs',
      )
}
