/**
 * One start of a node as a process of its own, seen from its parent. Whatever becomes of the parent, no process is left: each
 * ends with it, and one that stands still is woken by a guard (freeze.ts).
 *
 *     NodeChild ── options, questions, `stop` ──► runNodeChild ─ NodeProcess
 *               ◄── log, answers, `failed` ──────
 *               ── SIGKILL, SIGSTOP ──►
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { hrtimeMs } from '@troupe/actor'
import { type NodeId, RaftError } from '@troupe/core'
import type { NodeOptions } from '../node-options.ts'
import type { Calls, NodeNews, NodeOrder } from './child-protocol.ts'
import { type Frozen, freeze } from './freeze.ts'

/** The first for notices of Node on features of its own, which older versions print; the second as in `troupe` itself (ADR 21). */
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--external-memory-accounted-in-global-limit']
const ANSWER_TIMEOUT_MS = 10_000
const STOP_GRACE_MS = 5000
const TAIL_LINES = 8
/** Of warnings and errors, for when it fails. */
const KEPT_LINES = 20
/** What V8 writes before it aborts the process. */
const HEAP_LIMIT = 'JavaScript heap out of memory'

interface Pending {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Whether it has died at the limit of its heap. */
  readonly isOutOfMemory: boolean
  /** When that was noticed. */
  readonly atMs: number
}

export interface NodeChildSettings {
  readonly options: NodeOptions
  /** URL of the module that calls `runNodeChild`. */
  readonly main: string
  /** More words for it. @default none */
  readonly words?: readonly string[]
  /** File that gets what the process writes. */
  readonly log: string
  /** Told of what happens to the node, but for answers. */
  readonly onNews: (news: NodeNews) => void
  /** What a command begins with that runs in another network stack. @default none */
  readonly prefix?: readonly string[]
  /** Modules that it loads before anything else. @default none */
  readonly preload?: readonly URL[] | undefined
  /** Of its heap, in MiB. @default as much as Node.js gives it */
  readonly heapMb?: number | undefined
}

export class NodeChild<Asked extends Calls<Asked>> {
  readonly id: NodeId
  /** Resolves with its end, whatever that was. */
  readonly ended: Promise<ProcessEnd>
  readonly #child: ChildProcess
  readonly #log: string
  /** What was in it before: other starts have written there too. */
  readonly #logOffset: number
  readonly #onNews: (news: NodeNews) => void
  readonly #pending = new Map<number, Pending>()
  readonly #started = Promise.withResolvers<void>()
  readonly #lines: string[] = []
  #lastId = 0
  #frozen: Frozen | undefined
  #hasStarted = false
  #hasEnded = false

  constructor(settings: NodeChildSettings) {
    const { options, main, words = [], log, onNews, prefix = [], preload = [], heapMb } = settings
    this.id = options.id
    this.#log = log
    this.#onNews = onNews
    const output = openSync(log, 'a')
    this.#logOffset = fstatSync(output).size
    const limit = heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`]
    const flags = [...NODE_FLAGS, ...limit, ...preload.map(({ href }) => `--import=${href}`)]
    const own = [process.execPath, ...flags, fileURLToPath(main), JSON.stringify(options), ...words]
    const [program = '', ...args] = [...prefix, ...own]
    this.#child = spawn(program, args, {
      // Traces are arrays of numbers.
      serialization: 'advanced',
      stdio: ['ignore', output, output, 'ipc'],
    })
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

  /** Resolves when the node runs. @throws RaftError NODE_UNAVAILABLE with what it said where it ends before */
  get started(): Promise<void> {
    return this.#started.promise
  }

  get isRunning(): boolean {
    return !this.#hasEnded
  }

  /** Whether its node has been made: before that nobody answers. */
  get hasStarted(): boolean {
    return this.#hasStarted
  }

  get isFrozen(): boolean {
    return this.#frozen !== undefined
  }

  /** @throws RaftError NODE_UNAVAILABLE where it is gone, stands still or does not answer in time; with a cause where it says no */
  async call<Name extends keyof Asked>(
    name: Name,
    ask: Asked[Name]['ask'],
    timeoutMs = ANSWER_TIMEOUT_MS,
  ): Promise<Asked[Name]['answer']> {
    if (this.#hasEnded) throw this.#unavailable('its process has ended')
    if (this.#frozen !== undefined) throw this.#unavailable('its process is stopped')
    const id = ++this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<Asked[Name]['answer']>()
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
    this.resume()
  }

  /**
   * SIGSTOP: the process stands still until `resume`. Tells since when, also where it does so already.
   * @throws RaftError NODE_UNAVAILABLE where it is gone
   */
  freeze(): number {
    const { pid } = this.#child
    if (pid === undefined || this.#hasEnded) throw this.#unavailable('its process has ended')
    this.#frozen ??= freeze(pid)
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
    const timer = setTimeout(() => this.killNow(), STOP_GRACE_MS)
    await this.ended
    clearTimeout(timer)
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
        return this.#pending.get(news.id)?.reject(this.#unavailable(news.reason, { code: news.code }))
      case 'started':
        this.#hasStarted = true
        this.#started.resolve()
        break
      case 'failed':
        this.#note(news.reason)
        break
      case 'log':
        if (news.level !== 'info') this.#note(`${news.event} ${JSON.stringify(news.detail)}`)
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
    return { code, signal, isOutOfMemory: signal === 'SIGABRT' && this.#hasFilledItsHeap, atMs: hrtimeMs() }
  }

  get #hasFilledItsHeap(): boolean {
    return readFileSync(this.#log).subarray(this.#logOffset).includes(HEAP_LIMIT)
  }

  /** @param cause where the node has said no, with the code of its error */
  #unavailable(reason: string, cause?: { readonly code: string }): RaftError<'NODE_UNAVAILABLE'> {
    const node = this.id
    return new RaftError('NODE_UNAVAILABLE', `node ${node}: ${reason}`, { node, reason }, { cause })
  }
}
