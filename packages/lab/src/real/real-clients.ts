/**
 * Clients of a real cluster, and what they ask for: each write has a value that was never written before, and all of it stands in
 * one history. What nobody knows stays open in it to the end.
 */
import { History, type KvInput, type KvOutput } from '@troupe/check'
import { Client } from '@troupe/cluster'
import { RaftError, type RaftErrorCode } from '@troupe/core'
import { type Consistency, kv } from '@troupe/machines'
import type { Coverage, Dice } from '@troupe/sim'
import { defaultClients } from '../scenario/names.ts'
import type { WorkloadSpec } from '../scenario/scenario.ts'
import type { ClientFaults } from './client-faults.ts'
import { pause } from './pause.ts'
import type { RealCluster } from './real-cluster.ts'

export interface ClientsOptions {
  readonly cluster: RealCluster
  readonly faults: ClientFaults
  readonly spec: WorkloadSpec
  readonly dice: Dice
  /** Counts what they do. */
  readonly coverage: Coverage
  /** What somebody asked is over; without a code it was answered. */
  readonly settled: (
    client: string,
    isWrite: boolean,
    tookMs: number,
    code: RaftErrorCode | undefined,
  ) => void
  /** Of answers that cannot be. */
  readonly complain: (message: string) => void
  readonly electionTimeoutMinMs: number
}

/** Operations have this long where the file does not say. */
const DEADLINE_MS = 5000

export class RealClients {
  readonly names: readonly string[]
  readonly history = new History<KvInput, KvOutput>()
  /** Keys that were written. */
  readonly keys = new Set<string>()
  readonly #options: ClientsOptions
  readonly #clients = new Map<string, Client>()
  readonly #values = new Map<string, string>()
  readonly #running: Promise<void>[] = []
  readonly #stop = new AbortController()
  #lastValue = 0
  readonly #resentTold = new Map<string, number>()

  constructor(options: ClientsOptions) {
    this.#options = options
    const { cluster, faults, spec, electionTimeoutMinMs } = options
    const retransmitMs = spec.retransmit ?? electionTimeoutMinMs
    this.names = Array.from({ length: spec.clients ?? defaultClients }, (_, at) => `c${at + 1}`)
    for (const name of this.names) {
      const links = faults.between(name, cluster.links())
      this.#clients.set(name, Client.over(links, { retransmitMs }))
    }
  }

  /** By their names. */
  get connections(): ReadonlyMap<string, Client> {
    return this.#clients
  }

  /** Begins the workload. */
  start(): void {
    for (const name of this.names) {
      for (let at = 0; at < (this.#options.spec.concurrency ?? 2); at++) this.#running.push(this.#work(name))
    }
  }

  /** Ends the workload: resolves when all of it has ended. */
  async rest(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all([...this.#clients.values()].map((client) => client.close()))
    await Promise.all(this.#running)
  }

  async #work(name: string): Promise<void> {
    const { spec, dice } = this.#options
    const { mix = { read: 0.4, write: 0.5, cas: 0.1 }, think = 30, keys = 3 } = spec
    const withinMs = spec.deadline ?? DEADLINE_MS
    const consistencies = (spec.consistencies ?? ['linearizable']) as readonly Consistency[]
    const { signal } = this.#stop
    while (!signal.aborted) {
      await pause(dice.exponential(think), signal)
      if (signal.aborted) return
      const key = `k${dice.below(keys)}`
      const drawn = dice.next()
      if (drawn < mix.read) await this.read(name, key, dice.pick(consistencies), withinMs)
      else await this.write(name, key, withinMs, drawn >= mix.read + mix.write)
    }
  }

  /** Writes; conditional: in the place of what this process knew last. Whether it was acknowledged. */
  async write(
    name: string,
    key: string,
    withinMs: number,
    isConditional = false,
    bytes = 0,
  ): Promise<boolean> {
    const client = this.#clients.get(name)
    if (client === undefined) return false
    const { coverage } = this.#options
    const value = `${name}.${++this.#lastValue}`.padEnd(bytes, '.')
    const expected = this.#values.get(key)
    const command = isConditional ? kv.compareAndSet(key, expected, value) : kv.set(key, value)
    const input: KvInput = isConditional
      ? { op: 'compareAndSet', key, expected, value }
      : { op: 'set', key, value }
    this.keys.add(key)
    const pending = this.history.invoke(this.names.indexOf(name), input)
    const settled = this.#timed(name, true)
    try {
      const output = await client.propose(command, { timeoutMs: withinMs })
      pending.ok(output as KvOutput)
      coverage.writes++
      settled(undefined)
      if (output !== false) this.#values.set(key, value)
      return true
    } catch (error) {
      if (RaftError.is(error, 'INDETERMINATE')) {
        pending.open()
        coverage.openWrites++
        settled(error.code)
      } else {
        pending.fail()
        this.#refused(error, settled)
      }
      return false
    }
  }

  /** Reads; `node` answers, where the consistency lets it. Whether there was an answer. */
  async read(
    name: string,
    key: string,
    consistency: Consistency,
    withinMs: number,
    node?: string,
  ): Promise<boolean> {
    const client = this.#clients.get(name)
    if (client === undefined) return false
    const { coverage } = this.#options
    const isStale = consistency === 'stale'
    const mayName = isStale || consistency === 'follower'
    const named = mayName && node !== undefined ? { node } : {}
    const pending = isStale ? undefined : this.history.invoke(this.names.indexOf(name), { op: 'get', key })
    const settled = this.#timed(name, false)
    try {
      const answer = await client.query(kv.get(key), { consistency, timeoutMs: withinMs, ...named })
      const reading = readingOf(answer)
      pending?.ok(reading)
      settled(undefined)
      if (isStale) coverage.staleReads++
      else coverage.reads++
      if (!isStale && reading !== undefined) this.#values.set(key, (reading as { value: string }).value)
      return true
    } catch (error) {
      pending?.fail()
      this.#refused(error, settled)
      return false
    }
  }

  /** Tells of the end of what begins now. */
  #timed(name: string, isWrite: boolean): (code: RaftErrorCode | undefined) => void {
    const sinceMs = performance.now()
    return (code) => {
      this.countResent(name)
      this.#options.settled(name, isWrite, performance.now() - sinceMs, code)
    }
  }

  /** To be called when something of this client is over. */
  countResent(name: string): void {
    const { coverage } = this.#options
    const { commandsResent = 0 } = this.#clients.get(name)?.metrics ?? {}
    const told = this.#resentTold.get(name) ?? 0
    coverage.resentCommands = (coverage.resentCommands ?? 0) + commandsResent - told
    this.#resentTold.set(name, commandsResent)
  }

  #refused(error: unknown, settled: (code: RaftErrorCode | undefined) => void): void {
    const { coverage, complain } = this.#options
    coverage.refusals++
    settled(error instanceof RaftError ? error.code : 'PROTOCOL')
    if (RaftError.is(error, 'NO_SPACE')) coverage.spaceRefusals++
    if (RaftError.is(error, 'INVALID_COMMAND')) coverage.sizeRefusals = (coverage.sizeRefusals ?? 0) + 1
    const isWrong = !(error instanceof RaftError) || ['REJECTED', 'PROTOCOL'].includes(error.code)
    if (isWrong) complain(error instanceof Error ? error.message : String(error))
  }
}

function readingOf(answer: unknown): KvOutput {
  if (answer === undefined || answer === null) return undefined
  const { value, version } = answer as { readonly value: string; readonly version: number }
  return { value, version }
}
