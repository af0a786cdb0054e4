/**
 * BullMQ on one Redis that is not replicated and syncs its file for every write. Redis is Debian's, started here on a port of its
 * own and ended with the benchmark; the client is in the thread of the benchmark, as ours is.
 */
import { execFileSync } from 'node:child_process'
import type { Bench } from '../bench.ts'
import { findProgram, libraryVersion, loadLibrary, missingOf } from '../compare/programs.ts'
import { ServerGroup } from '../compare/server-group.ts'
import { LOOPBACK } from '../engine/free-ports.ts'
import { type QueueRow, rateRow } from './queue-rows.ts'
import { BATCH, body, CONSUMERS, PRODUCERS, SIZE_BYTES } from './troupe-queue.ts'

const MS_PER_S = 1000
const BATCHES_EACH = 4
/** Handlers of one worker that run at the same time: more made it no faster. */
const CONCURRENCY = 100
/** Jobs that are there before processing is measured, for each second of it: more than were ever processed. */
const JOBS_PER_SECOND = 15_000

interface Job {
  readonly name: string
  readonly data: unknown
  readonly opts: object
}

interface BullQueue {
  addBulk(jobs: readonly Job[]): Promise<unknown>
  obliterate(options: object): Promise<void>
  waitUntilReady(): Promise<unknown>
  close(): Promise<void>
}

interface BullWorker {
  on(event: 'completed' | 'error', listener: () => void): void
  run(): Promise<void>
  waitUntilReady(): Promise<unknown>
  close(force?: boolean): Promise<void>
}

/** The face of BullMQ that is used. */
interface BullMq {
  readonly Queue: new (name: string, options: object) => BullQueue
  readonly Worker: new (name: string, handler: () => Promise<void>, options: object) => BullWorker
}

/** What of it is not here; undefined where it can run. */
export const bullmqMissing = () =>
  missingOf({ programs: ['redis-server'], debianPackage: 'redis-server', libraries: ['bullmq', 'ioredis'] })

/** Configuration file of a Redis that syncs every write before it answers. */
export function durableRedisConfiguration(port: number, directory: string): string {
  return `${[
    `bind ${LOOPBACK}`,
    `port ${port}`,
    `dir ${JSON.stringify(directory)}`,
    'appendonly yes',
    'appendfsync always',
    'save ""',
  ].join('\n')}\n`
}

export class BullMqPlace {
  readonly version: string
  readonly #library: BullMq
  readonly #port: number
  #count = 0

  private constructor(library: BullMq, port: number, redis: string) {
    this.#library = library
    this.#port = port
    this.version = `BullMQ ${libraryVersion('bullmq')} on Redis ${redis}`
  }

  /** `bench` ends what is started. */
  static async start(bench: Bench): Promise<BullMqPlace> {
    const program = findProgram('redis-server') as string
    const servers = new ServerGroup(bench, 'bullmq')
    const [port] = (await servers.ports(1)) as [number]
    const configuration = durableRedisConfiguration(port, servers.folder('redis'))
    servers.spawn('redis', program, [servers.file('redis.conf', configuration)])
    const text = execFileSync(program, ['--version'], { encoding: 'utf8' })
    const place = new BullMqPlace(loadLibrary('bullmq'), port, /v=(\S+)/.exec(text)?.[1] ?? 'unknown')
    await servers.until('Redis answers', async () => {
      const queue = place.#queue('ready')
      await queue.waitUntilReady()
      await queue.close()
      return true
    })
    return place
  }

  get #connection(): object {
    return { host: LOOPBACK, port: this.#port }
  }

  #queue(name: string): BullQueue {
    return new this.#library.Queue(name, { connection: this.#connection })
  }

  get #conditions(): string {
    return `${this.version}, one server without replicas, appendfsync always; client over TCP in the thread of the benchmark`
  }

  #jobs(from: number): Job[] {
    const opts = { removeOnComplete: true, removeOnFail: true }
    return Array.from({ length: BATCH }, (_, at) => ({ name: 'job', data: body(from + at), opts }))
  }

  async measureAdds(seconds: number, round: number): Promise<QueueRow> {
    const queues = Array.from({ length: PRODUCERS }, () => this.#queue(`adds-${round}`))
    await Promise.all(queues.map((queue) => queue.waitUntilReady()))
    let added = 0
    const beganMs = performance.now()
    const endMs = beganMs + seconds * MS_PER_S
    const producers = queues.flatMap((queue) =>
      Array.from({ length: BATCHES_EACH }, async () => {
        while (performance.now() < endMs) {
          await queue.addBulk(this.#jobs(added))
          added += BATCH
        }
      }),
    )
    await Promise.all(producers)
    const tookS = (performance.now() - beganMs) / MS_PER_S
    await queues[0]?.obliterate({ force: true })
    await Promise.all(queues.map((queue) => queue.close()))
    const conditions = `${PRODUCERS} producers, ${BATCHES_EACH} addBulk of ${BATCH} × ${SIZE_BYTES} B each; ${this.#conditions}`
    return rateRow({ what: 'sendMany', contestant: 'bullmq', conditions, round, goals: [] }, added, tookS)
  }

  /** Of jobs that were added before, so that producers do not stand in the way. */
  async measureProcessing(seconds: number, round: number): Promise<QueueRow> {
    const name = `way-${++this.#count}`
    const queue = this.#queue(name)
    const total = Math.ceil((JOBS_PER_SECOND * seconds) / BATCH) * BATCH
    for (let added = 0; added < total; added += BATCH * BATCHES_EACH)
      await Promise.all(
        Array.from({ length: BATCHES_EACH }, (_, at) => queue.addBulk(this.#jobs(added + at * BATCH))),
      )
    let done = 0
    const options = { connection: this.#connection, concurrency: CONCURRENCY, autorun: false }
    const workers = Array.from(
      { length: CONSUMERS },
      () => new this.#library.Worker(name, async () => {}, options),
    )
    for (const worker of workers) {
      worker.on('completed', () => done++)
      worker.on('error', () => {})
    }
    await Promise.all(workers.map((each) => each.waitUntilReady()))
    const beganMs = performance.now()
    const endMs = beganMs + seconds * MS_PER_S
    for (const worker of workers) worker.run().catch(() => {})
    while (done < total && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 1))
    const tookS = (performance.now() - beganMs) / MS_PER_S
    const completed = done
    await Promise.all(workers.map((worker) => worker.close(true)))
    await queue.obliterate({ force: true })
    await queue.close()
    const conditions = `jobs of ${SIZE_BYTES} B that were added before, ${CONSUMERS} workers with concurrency ${CONCURRENCY} whose handlers do nothing; ${this.#conditions}`
    return rateRow(
      { what: 'all the way', contestant: 'bullmq', conditions, round, goals: [] },
      completed,
      tookS,
    )
  }
}
