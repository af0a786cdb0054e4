/** What the machine refuses, as errors to switch on. */
import { RaftError } from '@troupe/core'
import { HandleFault, type QueueRefusal } from '@troupe/machines'

/** Refusals of the machine, and what is wrong with a delivery that is settled. */
export type QueueErrorCode = QueueRefusal | 'ALREADY_SETTLED' | 'LEASE_ENDED'

/** A literal `code` to switch on, a message for people. What went wrong below the queue stays a RaftError. */
export class QueueError extends Error {
  override readonly name = 'QueueError'
  readonly code: QueueErrorCode

  constructor(code: QueueErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A refusal of the machine as a {@link QueueError}; any other error as it is. */
export function queueError(error: unknown): unknown {
  if (!RaftError.is(error, 'REJECTED')) return error
  const [, code, text] = /^([A-Z_]+) (.*)$/s.exec(error.data.reason) ?? []
  if (code === undefined || text === undefined) return error
  return new QueueError(code as QueueRefusal, text, { cause: error })
}

export function handleError(fault: HandleFault): QueueError {
  return fault === HandleFault.gone
    ? new QueueError('ALREADY_SETTLED', 'the message is no more: it was acked, cancelled or purged before')
    : new QueueError('LEASE_ENDED', 'the lease has ended: the message was, or will be, delivered again')
}
