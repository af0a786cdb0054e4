/**
 * How the queue commands come to a queue: to a cluster of processes over TCP, or to the directory of an embedded one, whose
 * replicas then run in this process for as long as the command does.
 */
import { existsSync } from 'node:fs'
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import { Client, Cluster } from '@troupe/cluster'
import { invalidOption, RaftError } from '@troupe/core'
import { queueCommands, queueQueries } from '@troupe/machines'
import { common, dialSettings } from '../node/operate.ts'

const { json, ...overTcp } = common

export const accessOptions = {
  ...overTcp,
  directory: {
    kind: 'text',
    placeholder: 'DIR',
    help: 'instead of --connect: the directory of an embedded queue that no process has open',
  },
  json,
} as const satisfies OptionTable

export type AccessValues = OptionValues<typeof accessOptions>

/** A queue, by its name. `close` it. */
export class QueueAccess {
  readonly name: string
  readonly client: Client
  readonly #cluster: Cluster | undefined
  readonly #timeoutMs: number

  private constructor(name: string, client: Client, cluster: Cluster | undefined, timeoutMs: number) {
    this.name = name
    this.client = client
    this.#cluster = cluster
    this.#timeoutMs = timeoutMs
  }

  /**
   * @param mayMake whether a directory that is not there is made
   * @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY, NODE_UNAVAILABLE
   */
  static async open(
    name: string,
    values: AccessValues,
    context: CommandContext,
    mayMake = false,
  ): Promise<QueueAccess> {
    const { connect, directory, timeout } = values
    if ((connect === undefined) === (directory === undefined))
      throw invalidOption(
        connect === undefined ? '--connect' : '--directory',
        connect === undefined ? undefined : directory,
        'either --connect HOST:PORT or --directory DIR',
      )
    if (connect !== undefined) {
      const token = context.env['TROUPE_CLIENT_TOKEN']
      const { token: _, ...dial } = dialSettings(values, context)
      const settings = token === undefined ? dial : { ...dial, token }
      return new QueueAccess(name, await Client.connect(connect.split(','), settings), undefined, timeout)
    }
    if (!mayMake && !existsSync(directory as string))
      throw invalidOption('--directory', directory, 'a directory that is there')
    const cluster = await Cluster.start({ directory: directory as string, machine: 'queue' })
    try {
      return new QueueAccess(name, await cluster.client(), cluster, timeout)
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /** @throws RaftError INVALID_OPTIONS where there is no such queue or group; else as `Client.propose` */
  propose<Result>(command: unknown): Promise<Result> {
    return this.#orMissing(this.client.propose<Result>(command, { timeoutMs: this.#timeoutMs }))
  }

  /** @throws as {@link propose} */
  query<Answer>(query: unknown): Promise<Answer> {
    return this.#orMissing(this.client.query<Answer>(query, { timeoutMs: this.#timeoutMs }))
  }

  async #orMissing<Value>(asked: Promise<Value>): Promise<Value> {
    try {
      return await asked
    } catch (error) {
      if (!RaftError.is(error, 'REJECTED')) throw error
      const { reason } = error.data
      if (reason.startsWith('UNKNOWN_QUEUE')) throw invalidOption('QUEUE', this.name, await this.#known())
      if (reason.startsWith('UNKNOWN_GROUP')) throw invalidOption('--group', reason, 'a group of the queue')
      throw error
    }
  }

  async #known(): Promise<string> {
    const names = await this.queues()
    return names.length === 0 ? 'one that is there: there is none' : `one of ${names.join(', ')}`
  }

  queues(): Promise<readonly string[]> {
    return this.client.query(queueQueries.queues())
  }

  /** Makes the queue where it is not there; one that is there keeps its settings. */
  async make(): Promise<void> {
    if (!(await this.queues()).includes(this.name)) await this.propose(queueCommands.create(this.name))
  }

  /** Repeats a command that does a bounded number of things at once. Resolves with their sum. */
  async repeat(command: (limit: number) => unknown): Promise<number> {
    let sum = 0
    for (;;) {
      const count = await this.propose<number>(command(MOST_AT_ONCE))
      sum += count
      if (count < MOST_AT_ONCE) return sum
    }
  }

  async close(): Promise<void> {
    await this.client.close()
    await this.#cluster?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

const MOST_AT_ONCE = 1000
