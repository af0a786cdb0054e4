/**
 * How a cluster of processes begins (ADR 15): each founder, before it makes its directory, asks every other one.
 *
 *     empty directory ─► ask all others ─► nobody has seen this founder before ─► directory, under the founder's incarnation
 *                            │ somebody has: its data is lost, it must not come back as who it was
 *
 * The incarnation of a founder follows from the cluster's name and the list of founders, so that all have the same first
 * configuration without anybody handing it out. Whoever has a link to a founder writes that down before it reads a word of
 * it: a founder that voted for somebody, or acknowledged something, is remembered by whoever counted that.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Configuration,
  type Identity,
  incarnationIn,
  type NodeId,
  RaftError,
  simpleConfiguration,
} from '@troupe/core'
import { writeFileAtomic } from '@troupe/store'
import { type Address, Backoff, type Credentials, type DialFailure, dial } from '@troupe/transport'
import { type Handshake, type HandshakeRefusal, helloOf } from '@troupe/wire'
import type { NodeLog } from './node-storage.ts'
import { ASKING_BOOT } from './tcp-edges.ts'

const SEEN_FILE = 'founders-seen.json'

/** A refusal of these kinds may pass: the other end is starting, stopping or busy. */
const PASSING: ReadonlySet<string | undefined> = new Set(['role', 'full', 'timeout', 'half-open'])

/** The first configuration of a cluster, the same wherever it is worked out from the same name and founders. */
export function foundingConfiguration(clusterId: string, founders: readonly NodeId[]): Configuration {
  const ids = [...founders].sort()
  return simpleConfiguration(ids.map((id) => ({ id, incarnation: founderIncarnation(clusterId, ids, id) })))
}

function founderIncarnation(clusterId: string, founders: readonly NodeId[], id: NodeId): number {
  const digest = createHash('sha256')
    .update(JSON.stringify(['founder', clusterId, founders, id]))
    .digest()
  // 52 bits, as those that are drawn have.
  return 1 + digest.readUInt32BE(0) * 0x100000 + (digest.readUInt32BE(4) >>> 12)
}

/** The founders that a node has ever had a link to, on the disk. */
export class SeenFounders {
  readonly #configuration: Configuration
  readonly #seen = new Set<NodeId>()
  #file: string | undefined

  /** @param configuration what the cluster begins with */
  constructor(configuration: Configuration) {
    this.#configuration = configuration
  }

  /** From now on what is seen is kept in the node's directory, and what was seen before counts. */
  keepIn(directory: string): void {
    this.#file = join(directory, SEEN_FILE)
    if (!existsSync(this.#file)) return
    try {
      for (const id of JSON.parse(readFileSync(this.#file, 'utf8')) as NodeId[]) this.#seen.add(id)
    } catch (error) {
      const reason = `${SEEN_FILE} is not readable: ${(error as Error).message}`
      throw new RaftError('INVALID_DIRECTORY', `data directory ${directory}: ${reason}`, {
        path: directory,
        reason,
      })
    }
  }

  /** On the disk when this returns, where it is a founder. */
  see(id: NodeId, incarnation: number): void {
    if (this.#seen.has(id) || incarnationIn(this.#configuration, id) !== incarnation) return
    this.#seen.add(id)
    if (this.#file !== undefined) writeFileAtomic(this.#file, `${JSON.stringify([...this.#seen])}\n`)
  }

  /** Answers a founder that has nothing yet: why it must not begin, where that is so. */
  check({ from, incarnation }: Handshake): HandshakeRefusal | undefined {
    if (incarnationIn(this.#configuration, from) !== incarnation) {
      return { code: 'identity', reason: `no founder "${from}" of the same list of founders is known here` }
    }
    if (!this.#seen.has(from)) return undefined
    const reason = `founder "${from}" was here before, and has lost its data: remove it, then let it join as a new member`
    return { code: 'identity', reason }
  }
}

export interface FoundingOptions {
  /** What this node will be. */
  readonly identity: Identity
  readonly configuration: Configuration
  /** The other founders. */
  readonly founders: ReadonlyMap<NodeId, Address>
  readonly credentials: Credentials | undefined
  readonly log: NodeLog
  readonly signal: AbortSignal
}

/**
 * Asks every other founder, until all have answered.
 * @throws RaftError INVALID_DIRECTORY where one of them has seen this founder before, or does not belong to the same
 *   founders; SHUTTING_DOWN where `signal` is raised
 */
export async function askFounders(options: FoundingOptions): Promise<void> {
  const stopping = new AbortController()
  const signal = AbortSignal.any([options.signal, stopping.signal])
  const asked = [...options.founders].map(([id, address]) => askFounder(id, address, { ...options, signal }))
  try {
    await Promise.all(asked)
  } finally {
    stopping.abort()
    await Promise.allSettled(asked)
  }
}

async function askFounder(id: NodeId, address: Address, options: FoundingOptions): Promise<void> {
  const { identity, configuration, log, signal } = options
  const backoff = new Backoff({}, Math.random)
  let told = ''
  while (!signal.aborted) {
    const answer = await ask(id, address, options)
    if (answer === undefined) break
    if ('from' in answer) {
      if (answer.incarnation === incarnationIn(configuration, id)) return
      throw refused(identity.id, id, 'it is another incarnation: the cluster has begun without this one')
    }
    const { code, reason } = answer
    if (code === 'remote' && !PASSING.has(answer.told)) throw refused(identity.id, id, reason)
    if (reason !== told) log('info', 'waiting for a founder', { peer: id, reason })
    told = reason
    await pause(backoff.nextMs(), signal)
  }
  throw new RaftError('SHUTTING_DOWN', `node ${identity.id} is stopping`, { what: identity.id })
}

/** One attempt; undefined where it was called off. */
function ask(
  id: NodeId,
  address: Address,
  { identity, credentials, signal }: FoundingOptions,
): Promise<Handshake | DialFailure | undefined> {
  return new Promise((resolve) => {
    const hello = helloOf(identity, { boot: ASKING_BOOT, channel: 'knock', to: id })
    const cancel = dial(
      { address, hello, expected: id, credentials },
      {
        opened: (connection, welcome) => {
          connection.close()
          done(welcome)
        },
        failed: (failure) => done(failure),
      },
    )
    const abort = (): void => {
      cancel()
      done(undefined)
    }
    const done = (answer: Handshake | DialFailure | undefined): void => {
      signal.removeEventListener('abort', abort)
      resolve(answer)
    }
    signal.addEventListener('abort', abort, { once: true })
  })
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}

function refused(own: NodeId, by: NodeId, reason: string): RaftError<'INVALID_DIRECTORY'> {
  const why = `node ${own} cannot begin, says ${by}: ${reason}`
  return new RaftError('INVALID_DIRECTORY', why, { path: '', reason: why })
}
