/**
 * How the queue commands come to a queue: to a cluster of processes over TCP, or to the directory of an embedded one, whose
 * replicas then run in this process for as long as the command does.
 */
import { existsSync } from 'node:fs'
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import type { Cluster } from '@troupe/cluster'
import { Client } from '@troupe/cluster/client'
import { invalidOption } from '@troupe/core'
import {
  type QueueSettings,
  type QueueStats,
  queueCommands,
  queueQueries,
  type Waiting,
} from '@troupe/machines'
import {
  type OperationOptions,
  type Outgoing,
  Producer,
  QueueCalls,
  QueueError,
  type Receipt,
} from '@troupe/queue'
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
  /** Of each call: its time, and what ends the command. */
  readonly limits: OperationOptions
  readonly #calls: QueueCalls
  readonly #cluster: Cluster | undefined

  private constructor(name: string, client: Client, cluster: Cluster | undefined, limits: OperationOptions) {
    this.name = name
    this.client = client
    this.limits = limits
    this.#calls = new QueueCalls(client)
    this.#cluster = cluster
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
    const limits = { timeoutMs: timeout, signal: context.signal }
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
      return new QueueAccess(name, await Client.connect(connect.split(','), settings), undefined, limits)
    }
    if (!mayMake && !existsSync(directory as string))
      throw invalidOption('--directory', directory, 'a directory that is there')
    const { Cluster } = await import('@troupe/cluster')
    const cluster = await Cluster.start({ directory: directory as string, machine: 'queue' })
    try {
      return new QueueAccess(name, await cluster.client(), cluster, limits)
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /**
   * @throws RaftError INVALID_OPTIONS where there is no such queue or group; QueueError for what is refused else; as `Client.propose`
   */
  propose<Result>(command: unknown): Promise<Result> {
    return this.#orMissing(this.#calls.propose<Result>(command, this.limits))
  }

  /** @throws as {@link propose} */
  query<Answer>(query: unknown): Promise<Answer> {
    return this.#orMissing(this.#calls.query<Answer>(query, this.limits))
  }

  async #orMissing<Value>(asked: Promise<Value>): Promise<Value> {
    try {
      return await asked
    } catch (error) {
      if (!(error instanceof QueueError)) throw error
      if (error.code === 'UNKNOWN_QUEUE') throw invalidOption('QUEUE', this.name, await this.#known())
      if (error.code === 'UNKNOWN_GROUP')
        throw invalidOption('--group', ...(await this.#groups(error.message)))
      throw error
    }
  }

  /** What was asked for, by the words of the refusal; what there is. */
  async #groups(refusal: string): Promise<readonly [asked: string, expected: string]> {
    const { groups } = await this.query<QueueStats>(queueQueries.stats(this.name))
    const [, asked = ''] = /group '(.*)' of /s.exec(refusal) ?? []
    const names = groups.map(({ group }) => (group === '' ? 'none at all' : group))
    return [asked, `one of ${names.join(', ')}`]
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
    if (!(await this.queues()).includes(this.name)) await this.create({})
  }

  /** Makes the queue, or gives it other settings. @throws as {@link propose} */
  create(settings: Partial<QueueSettings>): Promise<void> {
    return this.propose(queueCommands.create(this.name, settings))
  }

  /** @throws as `Queue.sendMany` */
  send(messages: readonly Outgoing<unknown>[], whenFull: 'refuse' | 'wait'): Promise<Receipt[]> {
    const producer = new Producer<unknown>(this.#calls, this.name, { schema: undefined })
    return producer.sendAll(messages, { ...this.limits, whenFull })
  }

  /** Resolves with how many those were. @throws as {@link propose} */
  purge(waiting: Waiting, group: string): Promise<number> {
    return this.#orMissing(this.#calls.purge(this.name, waiting, group, this.limits))
  }

  /** Resolves with how many those were. @throws as {@link propose} */
  redrive(group: string): Promise<number> {
    return this.#orMissing(this.#calls.redrive(this.name, group, this.limits))
  }

  async close(): Promise<void> {
    await this.client.close()
    await this.#cluster?.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
