/** One start of a node's process, seen from the benchmark. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { hrtimeMs } from '@troupe/actor'
import type { NodeOptions } from '@troupe/cluster'
import { type NodeId, RaftError } from '@troupe/core'
import { delay } from '../load/failure.ts'
import { type Frozen, freeze } from './frozen.ts'
import type { NodeCallName, NodeCalls, NodeNews, NodeOrder } from './protocol.ts'

/** Notices of Node on features of its own, which older versions print. */
/** The second as in `troupe` itself (ADR 21). */
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--external-memory-accounted-in-global-limit']
const ANSWER_TIMEOUT_MS = 10_000
const STOP_GRACE_MS = 5000
const TAIL_LINES = 8
/** Of warnings and errors, for when it fails. */
const KEPT_LINES = 20

interface Pending {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** When that was noticed. */
  readonly atMs: number
}

export class NodeChild {
  readonly id: NodeId
  /** Resolves with its end, whatever that was. */
  readonly ended: Promise<ProcessEnd>
  readonly #child: ChildProcess
  readonly #log: string
  readonly #onNews: (news: NodeNews) => void
  readonly #pending = new Map<number, Pending>()
  readonly #started = Promise.withResolvers<void>()
  readonly #lines: string[] = []
  #lastId = 0
  #frozen: Frozen | undefined
  #hasEnded = false

  /**
   * @param log file that gets what the process writes
   * @param onNews told of what happens to the node, but for answers
   * @param more words for the process
   */
  constructor(
    options: NodeOptions,
    log: string,
    onNews: (news: NodeNews) => void,
    more: readonly string[] = [],
  ) {
    this.id = options.id
    this.#log = log
    this.#onNews = onNews
    const output = openSync(log, 'a')
    this.#child = fork(
      fileURLToPath(import.meta.resolve('@troupe/benchmarks/tcp-node')),
      [JSON.stringify(options), ...more],
      {
        execArgv: NODE_FLAGS,
        // Traces are arrays of numbers.
        serialization: 'advanced',
        stdio: ['ignore', output, output, 'ipc'],
      },
    )
    closeSync(output)
    this.#started.promise.catch(() => {})
    this.#child.on('message', (news: NodeNews) => this.#take(news))
    this.ended = once(this.#child, 'exit').then(
      ([code, signal]) => this.#end(code, signal),
      // It could not be started at all.
      (error: Error) => {
        this.#note(error.message)
        return this.#end(null, null)
      },
    )
  }

  /** Resolves when the node runs. @throws with what it said where it ends before */
  get started(): Promise<void> {
    return this.#started.promise
  }

  get isRunning(): boolean {
    return !this.#hasEnded
  }

  get isFrozen(): boolean {
    return this.#frozen !== undefined
  }

  /** @throws RaftError NODE_UNAVAILABLE where it is gone, stands still or does not answer in time */
  async call<Name extends NodeCallName>(
    name: Name,
    ask: NodeCalls[Name]['ask'],
    timeoutMs = ANSWER_TIMEOUT_MS,
  ): Promise<NodeCalls[Name]['answer']> {
    if (this.#hasEnded) throw this.#unavailable('its process has ended')
    if (this.#frozen !== undefined) throw this.#unavailable('its process is stopped')
    const id = ++this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<NodeCalls[Name]['answer']>()
    this.#pending.set(id, { resolve, reject })
    const late = (): void => reject(this.#unavailable(`no answer within ${timeoutMs} ms`))
    const timer = setTimeout(late, timeoutMs)
    try {
      this.#order({ kind: 'call', call: { id, name, ask } })
      return await promise
    } finally {
      clearTimeout(timer)
      this.#pending.delete(id)
    }
  }

  /** SIGKILL. Resolves with when it was sent, once the process is gone. */
  async kill(): Promise<{ readonly killedAtMs: number; readonly end: ProcessEnd }> {
    const killedAtMs = hrtimeMs()
    this.killNow()
    const end = await this.ended
    return { killedAtMs, end }
  }

  /** For the end of this process, which cannot wait. */
  killNow(): void {
    if (!this.#hasEnded) this.#child.kill('SIGKILL')
    this.#frozen?.resume()
    this.#frozen = undefined
  }

  /** SIGSTOP: the process stands still until `resume`. Tells when. */
  async freeze(): Promise<number> {
    const { pid } = this.#child
    if (pid === undefined || this.#hasEnded) throw this.#unavailable('its process has ended')
    this.#frozen = await freeze(pid)
    return this.#frozen.atMs
  }

  /** SIGCONT. Nothing where it runs. */
  resume(): void {
    this.#frozen?.resume()
    this.#frozen = undefined
  }

  /** Lets it close what it has open; killed where that takes too long. Idempotent. */
  async stop(): Promise<void> {
    this.resume()
    if (!this.#hasEnded) this.#order({ kind: 'stop' })
    await Promise.race([this.ended, delay(STOP_GRACE_MS)])
    this.killNow()
    await this.ended
  }

  /** The last lines that it has written or logged, for an error. */
  get tail(): string {
    const written = readFileSync(this.#log, 'utf8').trim().split('\n').slice(-TAIL_LINES)
    const lines = [...this.#lines, ...written].filter((line) => line !== '')
    return lines.map((line) => `\n  ${this.id}: ${line}`).join('')
  }

  #order(order: NodeOrder): void {
    // A process that has just died takes no more: its end, which follows, tells whoever waits.
    if (this.#child.connected) this.#child.send(order, () => {})
  }

  #take(news: NodeNews): void {
    switch (news.kind) {
      case 'answer':
        return this.#pending.get(news.id)?.resolve(news.value as never)
      case 'refused':
        return this.#pending.get(news.id)?.reject(this.#unavailable(news.reason))
      case 'started':
        this.#started.resolve()
        break
      case 'failed':
        this.#note(news.reason)
        break
      case 'log':
        if (news.level !== 'info') this.#note(news.text)
        break
    }
    this.#onNews(news)
  }

  #note(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > KEPT_LINES) this.#lines.shift()
  }

  #end(code: number | null, signal: NodeJS.Signals | null): ProcessEnd {
    this.#hasEnded = true
    this.resume()
    const how = signal ?? `exit code ${code}`
    const gone = this.#unavailable(`its process has ended (${how})${this.tail}`)
    this.#started.reject(gone)
    for (const { reject } of this.#pending.values()) reject(gone)
    return { code, signal, atMs: hrtimeMs() }
  }

  #unavailable(reason: string): RaftError<'NODE_UNAVAILABLE'> {
    const node = this.id
    return new RaftError('NODE_UNAVAILABLE', `node ${node}: ${reason}`, { node, reason })
  }
}
