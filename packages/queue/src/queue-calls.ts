/** The queue's way to the cluster: commands, queries, and questions that wait for their answers. */
import type { CallOptions, Client } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import { type QueueStats, queueCommands, queueQueries, type Waiting } from '@troupe/machines'
import { queueError } from './queue-errors.ts'

/** After an error that passes: no leader, a replica that is gone. */
const RETRY_MS = 5
/** Messages of one command. */
const MOST_AT_ONCE = 1000

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

  /** Removes what waits in a list. Resolves with how many those were. @throws as {@link propose} */
  purge(queue: string, waiting: Waiting, group: string, options?: CallOptions): Promise<number> {
    const command = (limit: number): unknown => queueCommands.purge(queue, group, waiting, limit)
    return this.#throughout(queue, waiting, group, command, options)
  }

  /** Makes what is dead ready again. Resolves with how many those were. @throws as {@link propose} */
  redrive(queue: string, group: string, options?: CallOptions): Promise<number> {
    const command = (limit: number): unknown => queueCommands.redrive(queue, group, limit)
    return this.#throughout(queue, 'dead', group, command, options)
  }

  /**
   * A command of a bounded number of messages, for all of a list that are there now: what comes meanwhile, sent or dead once more, would
   * keep it from ending.
   */
  async #throughout(
    queue: string,
    waiting: Waiting,
    group: string,
    command: (limit: number) => unknown,
    options?: CallOptions,
  ): Promise<number> {
    const { groups } = await this.query<QueueStats>(queueQueries.stats(queue), options)
    const found = groups.find((each) => each.group === group)
    // Behind a ready message there may be others of its key, which are ready once it is gone.
    const most = (found?.[waiting] ?? 0) + (waiting === 'ready' ? (found?.lined ?? 0) : 0)
    for (let sum = 0; ; ) {
      // Once at least: it is the machine that knows of groups.
      const limit = Math.min(MOST_AT_ONCE, Math.max(1, most - sum))
      const count = await this.propose<number>(command(limit), options)
      sum += count
      if (count < limit || sum >= most) return sum
    }
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
