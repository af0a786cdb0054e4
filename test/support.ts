/** What the whole-system tests share. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, Cluster } from '@troupe/cluster'
import { RaftError, type RaftErrorCode, type RaftErrorData } from '@troupe/core'
import { kv } from '@troupe/machines'

/** Whether the long variants of the tests are asked for (`pnpm test --full`). */
export const isFull = process.env.TROUPE_FULL === '1'

/**
 * Timeouts that a busy machine does not reach, for tests that count on the leader they have found. They cost nothing: a
 * cluster elects its first leader when it is told to, and a crash closes connections, which is answered at once.
 */
export const patient = {
  electionTimeoutMinMs: 6000,
  electionTimeoutMaxMs: 9000,
  transferTimeoutMs: 15_000,
  maxPersistStallMs: 60_000,
} as const

/** The URL of a module under test/fixtures. */
export function fixture(name: string): string {
  return new URL(`fixtures/${name}`, import.meta.url).href
}

/** Gives `run` a directory that is gone afterwards. */
export async function withDirectory<T>(run: (path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(tmpdir(), 'test-troupe-'))
  try {
    return await run(path)
  } finally {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Lets `run` make its temporary directories at a place of their own, and checks that it leaves none behind. */
export function leavingNothing(run: () => Promise<void>): () => Promise<void> {
  return () =>
    withDirectory(async (path) => {
      const before = process.env.TMPDIR
      process.env.TMPDIR = path
      try {
        await run()
      } finally {
        if (before === undefined) delete process.env.TMPDIR
        else process.env.TMPDIR = before
      }
      assert.deepEqual(readdirSync(path), [], 'temporary directories were left behind')
    })
}

/** Waits until `isSo`, and fails after a bound that is far above what it takes. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  boundMs = 60_000,
): Promise<void> {
  const deadlineMs = performance.now() + boundMs
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) assert.fail(`not within ${boundMs} ms: ${what}`)
    await sleep(2)
  }
}

/** The RaftError of this code that `failing` ends with; checks that it is fit to be shown. */
export async function failure<Code extends RaftErrorCode>(
  code: Code,
  failing: Promise<unknown>,
): Promise<RaftErrorData[Code] & { readonly message: string }> {
  const error = await failing.then(
    () => assert.fail(`expected ${code}, but nothing was refused`),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof RaftError, `no RaftError, but ${describe(error)}`)
  assert.equal(error.code, code, error.message)
  assert.doesNotMatch(error.message, /\n\s+at /, 'a stack trace in a message')
  return { message: error.message, ...error.data } as RaftErrorData[Code] & { message: string }
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
}

/** Checks an error of a wrong option: field and value in message and data, and what is expected. */
export async function refusedOption(
  failing: Promise<unknown>,
  field: string,
  shown: string,
  expected: RegExp,
): Promise<void> {
  const data = await failure('INVALID_OPTIONS', failing)
  assert.equal(data.field, field)
  assert.match(data.expected, expected)
  assert.equal(data.message, `${field} is ${shown}; expected ${data.expected}`)
}

/** Checks that no worker, port or timer of this process is left from what was stopped before. */
export async function assertNothingRuns(): Promise<void> {
  await until('every worker and port is gone', () => runningHere() === 0)
}

/** How many workers and ports this process has. */
export function runningHere(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker').length
}

/** Checks that all replicas hold the same state, once they have caught up. */
export async function assertEqualReplicas(cluster: Cluster): Promise<void> {
  await cluster.converged({ timeoutMs: 60_000 })
  const digests = await cluster.digests()
  const [first, ...others] = [...digests.values()]
  for (const other of others) assert.deepEqual(other, first)
}

/** Who leads, once somebody does. */
export async function leaderOf(cluster: Cluster): Promise<string> {
  await until('somebody leads', () => cluster.leader !== undefined)
  return cluster.leader as string
}

/** Some other node than the leader. */
export function followerOf(cluster: Cluster): string {
  const found = cluster.ids.find((id) => id !== cluster.leader)
  assert.ok(found)
  return found
}

/**
 * Load whose every outcome is known: keeps `window` writes outstanding, and counts for each key what was acknowledged
 * and what may or may not have happened. `kv` counts the writes of a key itself: its version.
 */
export class Ledger {
  readonly #client: Client
  readonly #acknowledged = new Map<string, number>()
  readonly #unknown = new Map<string, number>()
  readonly #prefix: string
  readonly #keyCount: number
  #writes = 0
  #stopped = false
  #callers: Promise<void>[] = []
  #broken: unknown
  acknowledged = 0
  unknown = 0
  /** The longest time between one acknowledgement and the next, since the first. */
  longestPauseMs = 0
  #lastMs: number | undefined

  constructor(client: Client, prefix = 'k', keyCount = 50) {
    this.#client = client
    this.#prefix = prefix
    this.#keyCount = keyCount
  }

  /** Starts `window` callers, each with one write outstanding. */
  start(window: number, timeoutMs = 60_000): void {
    const caller = async (): Promise<void> => {
      while (!this.#stopped) await this.write(timeoutMs)
    }
    // What breaks a caller is thrown by `stop`: a test that fails before has no use for it.
    this.#callers = Array.from({ length: window }, () => caller().catch((error) => this.#break(error)))
  }

  /** Waits for the outcome of every write. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#callers)
    if (this.#broken !== undefined) throw this.#broken
  }

  #break(error: unknown): void {
    this.#stopped = true
    this.#broken ??= error
  }

  /** One write. What certainly did not happen counts for nothing. */
  async write(timeoutMs = 60_000): Promise<void> {
    const key = `${this.#prefix}${this.#writes++ % this.#keyCount}`
    try {
      await this.#client.propose(kv.set(key, this.#writes), { timeoutMs })
      this.#acknowledged.set(key, (this.#acknowledged.get(key) ?? 0) + 1)
      this.acknowledged++
      this.#mark()
    } catch (error) {
      if (RaftError.is(error, 'INDETERMINATE')) {
        this.#unknown.set(key, (this.#unknown.get(key) ?? 0) + 1)
        this.unknown++
      } else if (!RaftError.is(error, 'TIMEOUT') && !RaftError.is(error, 'BUSY')) throw error
    }
  }

  #mark(): void {
    const nowMs = performance.now()
    this.longestPauseMs = Math.max(this.longestPauseMs, nowMs - (this.#lastMs ?? nowMs))
    this.#lastMs = nowMs
  }

  /** Nothing acknowledged is lost, nothing is applied twice. */
  async verify(client: Client = this.#client): Promise<void> {
    const keys = Array.from({ length: this.#keyCount }, (_, index) => `${this.#prefix}${index}`)
    const versions = await client.query<number[]>(kv.versions(keys), { timeoutMs: 60_000 })
    keys.forEach((key, index) => {
      const version = versions[index] as number
      const least = this.#acknowledged.get(key) ?? 0
      const most = least + (this.#unknown.get(key) ?? 0)
      assert.ok(version >= least, `${key}: ${least} writes were acknowledged, ${version} are there`)
      assert.ok(version <= most, `${key}: ${most} writes at most, but ${version} were applied`)
    })
  }
}
