/** The queue's way to the cluster: commands, queries, and questions that wait for their answers. */
import type { CallOptions, Client } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { queueError } from './queue-errors.ts'

/** After an error that passes: no leader, a replica that is gone. */
const RETRY_MS = 5

export class QueueCalls {
  readonly client: Client

  constructor(client: Client) {
    this.client = client
  }

  propose<Result>(command: unknown, options?: CallOptions): Promise<Result> {
    return this.client.propose<Result>(command, options).catch(rethrow)
  }

  query<Answer>(query: unknown, options?: CallOptions): Promise<Answer> {
    return this.client.query<Answer>(query, options).catch(rethrow)
  }

  /**
   * Asks any replica a question that waits, again and again until there is an answer.
   * @throws what the machine refuses it with; RaftError ABORTED by the signal, SHUTTING_DOWN
   */
  async awaited<Answer>(query: unknown, signal?: AbortSignal): Promise<Answer> {
    const options = { consistency: 'stale', ...(signal === undefined ? {} : { signal }) } as const
    for (;;) {
      try {
        const answer = await this.client.query<Answer | undefined>(query, options)
        if (answer !== undefined) return answer
      } catch (error) {
        if (!isPassing(error)) throw queueError(error)
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }
}

function rethrow(error: unknown): never {
  throw queueError(error)
}

const LASTING: ReadonlySet<string> = new Set([
  'SHUTTING_DOWN',
  'ABORTED',
  'INVALID_OPTIONS',
  'INVALID_COMMAND',
  'REJECTED',
])

/** Whether another attempt may go well. */
export const isPassing = (error: unknown): boolean => error instanceof RaftError && !LASTING.has(error.code)
