/**
 * Redis streams. `WAIT` blocks its connection until the replicas have what was written on it before, so one for each
 * command would let one command at a time through: the commands of one turn share a `WAIT`, in one pipeline, and several
 * connections take turns.
 */
import { loadLibrary } from '../programs.ts'
import { bodyOf, type Connection, unknownOutcome } from './connection.ts'

export interface RedisEndpoint {
  readonly host: string
  readonly port: number
  readonly stream: string
  /** Replicas that have to have a write, beside the primary. */
  readonly replicas: number
}

interface Pipeline {
  xadd(stream: string, id: string, field: string, body: Buffer): Pipeline
  wait(replicas: number, timeoutMs: number): Pipeline
  exec(): Promise<[error: Error | null, result: unknown][]>
}

interface RedisClient {
  pipeline(): Pipeline
  xlen(stream: string): Promise<number>
  unlink(stream: string): Promise<unknown>
  ping(): Promise<unknown>
  info(section: string): Promise<string>
  on(event: 'error', listener: (error: Error) => void): void
  disconnect(): void
}

/** The face of ioredis that is used. */
interface IoRedis {
  readonly Redis: new (options: object) => RedisClient
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const WAIT_TIMEOUT_MS = 5000
export const REDIS_CONNECTIONS = 4

/** Commands of one turn go together, on the next connection. */
class PipelinedStreams {
  readonly #clients: readonly RedisClient[]
  readonly #endpoint: RedisEndpoint
  readonly #body: Buffer
  readonly #flush = (): void => void this.#send()
  #waiting: Waiting[] = []
  #next = 0

  constructor(clients: readonly RedisClient[], endpoint: RedisEndpoint, body: Buffer) {
    this.#clients = clients
    this.#endpoint = endpoint
    this.#body = body
  }

  propose(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ resolve, reject }) === 1) setImmediate(this.#flush)
    })
  }

  async #send(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    const { stream, replicas } = this.#endpoint
    const pipeline = (this.#clients[this.#next++ % this.#clients.length] as RedisClient).pipeline()
    for (let left = waiting.length; left > 0; left--) pipeline.xadd(stream, '*', 'c', this.#body)
    let failure: Error | undefined
    try {
      const results = await pipeline.wait(replicas, WAIT_TIMEOUT_MS).exec()
      failure = results.find(([error]) => error !== null)?.[0] ?? undefined
      const reached = results.at(-1)?.[1]
      if (failure === undefined && Number(reached) < replicas)
        failure = new Error(`WAIT reached ${reached} replicas`)
    } catch (error) {
      failure = error as Error
    }
    for (const { resolve, reject } of waiting) {
      if (failure === undefined) resolve()
      else reject(unknownOutcome(failure))
    }
  }
}

export async function connectRedis(endpoint: RedisEndpoint, sizeBytes: number): Promise<Connection> {
  const { Redis } = loadLibrary<IoRedis>('ioredis')
  const { host, port, stream } = endpoint
  const open = (): RedisClient => {
    const client = new Redis({ host, port, maxRetriesPerRequest: 0, retryStrategy: null })
    // Told to every command under way.
    client.on('error', () => {})
    return client
  }
  const clients = Array.from({ length: REDIS_CONNECTIONS }, open)
  const [first] = clients as [RedisClient]
  await Promise.all(clients.map((client) => client.ping()))
  const streams = new PipelinedStreams(clients, endpoint, bodyOf(sizeBytes))
  return {
    propose: () => streams.propose(),
    countStored: async () => {
      const stored = await first.xlen(stream)
      await first.unlink(stream)
      return stored
    },
    close: async () => {
      for (const client of clients) client.disconnect()
    },
  }
}

/** How many replicas the primary has that take its writes. */
export async function replicasOnline({ host, port }: RedisEndpoint): Promise<number> {
  const { Redis } = loadLibrary<IoRedis>('ioredis')
  const client = new Redis({ host, port, maxRetriesPerRequest: 0, retryStrategy: null })
  client.on('error', () => {})
  try {
    return (await client.info('replication')).match(/state=online/g)?.length ?? 0
  } finally {
    client.disconnect()
  }
}
