/** A client: the real ClientCore over links of the simulation; its answers are checked as they come. */
import type { History, KvInput, KvOutput } from '@troupe/check'
import { RaftError, type RaftErrorCode } from '@troupe/core'
import {
  type Call,
  ClientCore,
  type Consistency,
  type KvCommand,
  type KvQuery,
  kv,
  resolveClientOptions,
} from '@troupe/machines'
import { codec } from '@troupe/wire'
import type { Coverage } from './coverage.ts'
import { noiseAt, places } from './noise.ts'
import type { Oracle, Reading } from './oracle.ts'
import { GROUP, type Plan } from './plan.ts'
import type { Scheduler, Task } from './scheduler.ts'
import { nodeId } from './sim-node.ts'
import type { SettledOperation } from './world-view.ts'

export interface ClientHost {
  readonly scheduler: Scheduler
  readonly coverage: Coverage
  readonly oracle: Oracle
  readonly history: History<KvInput, KvOutput>
  /** An answer is wrong. */
  complained(complaint: string): void
  /** What a client asked is over. */
  settled(operation: SettledOperation): void
}

/** What is asked, and what for: `done` is called once. */
interface Operation {
  readonly key: string
  /** The written value; undefined for a query. */
  readonly value: string | undefined
  readonly consistency: Consistency | undefined
  readonly floor: number
  readonly done: Done
}

/** Told whether there was an answer, and why not. */
export type Done = (isAnswered: boolean, code?: RaftErrorCode) => void

const TICK_MIN_MS = 0.01

export class SimClient {
  readonly index: number
  readonly name: string
  readonly core: ClientCore
  readonly #host: ClientHost
  readonly #tickTask: Task = { run: () => this.#tick() }
  #tickMs = Number.POSITIVE_INFINITY
  #isBusy = false
  #lastValue = 0
  #resentTold = 0

  constructor(host: ClientHost, index: number, { seed, voters, workload }: Plan) {
    this.#host = host
    this.index = index
    this.name = clientName(index)
    const { retransmitMs, throughNodes } = workload
    // Every second client talks to one node, and that one to the leader.
    const isIndirect = throughNodes && index % 2 === 0
    const options = resolveClientOptions(GROUP, {
      retransmitMs,
      ...(isIndirect ? { via: nodeId(index % voters), maxFrameCommands: 1 } : {}),
    })
    this.core = new ClientCore(options, codec, noiseAt(host.scheduler, seed, places.client + index))
  }

  /**
   * Writes a value that was never written before, where it is conditional in the place of what was known last. `done` is
   * told whether it was acknowledged. It has at least so many `bytes`.
   */
  write(key: string, timeoutMs: number, done: Done, isConditional = false, bytes = 0): void {
    const value = `c${this.index}.${++this.#lastValue}`.padEnd(bytes, '.')
    const expected = this.#host.oracle.valueOf(key)
    const command = isConditional ? kv.compareAndSet(key, expected, value) : kv.set(key, value)
    const input: KvInput = isConditional
      ? { op: 'compareAndSet', key, expected, value }
      : { op: 'set', key, value }
    const floor = this.#host.oracle.floorOf(key)
    const operation = { key, value, consistency: undefined, floor, done }
    this.core.propose(this.#call(command, input, timeoutMs, operation))
  }

  /** Reads. `node` answers, where the consistency lets it; without one, any. `done` is told whether there was an answer. */
  read(key: string, consistency: Consistency, timeoutMs: number, done: Done, node?: string): void {
    const query: KvQuery = kv.get(key)
    const floor = this.#host.oracle.floorOf(key)
    const operation = { key, value: undefined, consistency, floor, done }
    const input: KvInput = { op: 'get', key }
    const mayName = consistency === 'stale' || consistency === 'follower'
    const call = this.#call(query, input, timeoutMs, operation)
    this.core.query(consistency, mayName ? node : undefined, call, this.#host.scheduler.nowMs)
  }

  #call(command: KvCommand | KvQuery, input: KvInput, timeoutMs: number, operation: Operation): Call {
    const { coverage, history, scheduler } = this.#host
    const isRecorded = operation.consistency !== 'stale'
    const calledMs = scheduler.nowMs
    const pending = isRecorded ? history.invoke(this.index, input) : undefined
    return {
      command,
      commands: undefined,
      deadlineMs: scheduler.nowMs + timeoutMs,
      settled: false,
      resolve: (value) => {
        if (operation.value !== undefined) coverage.writes++
        else if (isRecorded) coverage.reads++
        else coverage.staleReads++
        this.#check(operation, value)
        pending?.ok(operation.value === undefined ? readingOf(value) : (value as KvOutput))
        this.#settled(operation, calledMs)
        operation.done(true)
      },
      reject: (error) => {
        this.#rejected(operation, error)
        if (RaftError.is(error, 'INDETERMINATE')) pending?.open()
        else pending?.fail()
        this.#settled(operation, calledMs, error.code)
        operation.done(false, error.code)
      },
    }
  }

  #settled({ value }: Operation, calledMs: number, code?: RaftErrorCode): void {
    const { coverage } = this.#host
    const { commandsResent } = this.core.metrics
    coverage.resentCommands = (coverage.resentCommands ?? 0) + commandsResent - this.#resentTold
    this.#resentTold = commandsResent
    this.#host.settled({ client: this.name, isWrite: value !== undefined, calledMs, code })
  }

  #rejected({ value }: Operation, error: RaftError): void {
    const { coverage, oracle } = this.#host
    const isOpen = value !== undefined && error.code === 'INDETERMINATE'
    if (isOpen) coverage.openWrites++
    else coverage.refusals++
    if (value !== undefined && error.code === 'NO_SPACE') coverage.spaceRefusals++
    if (error.code === 'INVALID_COMMAND') coverage.sizeRefusals = (coverage.sizeRefusals ?? 0) + 1
    const complaint = isOpen || value === undefined ? undefined : oracle.refused(value, error.code)
    if (complaint !== undefined) this.#host.complained(`client ${this.index}, write: ${complaint}`)
    if (error.code === 'REJECTED' || error.code === 'PROTOCOL') {
      this.#host.complained(`client ${this.index}: ${error.code}: ${error.message}`)
    }
  }

  #check({ key, value, consistency, floor }: Operation, answer: unknown): void {
    const { oracle } = this.#host
    const complaint =
      value !== undefined
        ? oracle.acknowledged(key, value, answer !== false, floor)
        : consistency === 'stale'
          ? oracle.sawSomething(answer as Reading | undefined)
          : oracle.read(key, answer as Reading | undefined, floor)
    if (complaint !== undefined) {
      this.#host.complained(`client ${this.index}, ${consistency ?? 'write'}: ${complaint}`)
    }
  }

  // ---- time

  /** To be called after anything happened: sends what can be sent, and sets the alarm. */
  turn(): void {
    if (this.#isBusy) return
    this.#isBusy = true
    const { nowMs } = this.#host.scheduler
    this.core.tick(nowMs)
    this.#isBusy = false
    const dueMs = Math.max(this.core.deadlineMs, nowMs + TICK_MIN_MS)
    if (dueMs >= this.#tickMs) return
    this.#tickMs = dueMs
    this.#host.scheduler.at(dueMs, this.#tickTask)
  }

  #tick(): void {
    if (this.#host.scheduler.nowMs !== this.#tickMs) return
    this.#tickMs = Number.POSITIVE_INFINITY
    this.turn()
  }
}

/** The name of the client with this index. */
export const clientName = (index: number): string => `c${index + 1}`

function readingOf(answer: unknown): KvOutput {
  if (answer === undefined || answer === null) return undefined
  const { value, version } = answer as { value: string; version: number }
  return { value, version }
}
