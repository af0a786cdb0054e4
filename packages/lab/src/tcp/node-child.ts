/** One start of a node's process, seen from the laboratory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { NodeOptions } from '@troupe/cluster'
import { type NodeId, RaftError } from '@troupe/core'
import { type Frozen, freeze } from './frozen.ts'
import type { NodeCallName, NodeCalls, NodeNews, NodeOrder, ObservedAs } from './protocol.ts'

/** Notices of Node on features of its own, which older versions print. */
/** The second as in `troupe` itself (ADR 21). */
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--external-memory-accounted-in-global-limit']
const ANSWER_TIMEOUT_MS = 5000
const STOP_GRACE_MS = 3000
const TAIL_LINES = 8

interface Pending {
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface NodeChildSettings {
  readonly options: NodeOptions
  /** File that gets what the process writes. */
  readonly log: string
  /** Told of what happens to the node, but for answers. */
  readonly onNews: (news: NodeNews) => void
  /** What a command begins with that runs in another network stack. @default none */
  readonly prefix?: readonly string[]
  /** Where it tells all that it does, and as who. @default nowhere */
  readonly observed?: ObservedAs | undefined
  /** Modules that it loads before anything else. @default none */
  readonly preload?: readonly URL[] | undefined
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
  #failure = ''
  #lastId = 0
  #frozen: Frozen | undefined
  #hasStarted = false
  #hasEnded = false

  constructor({ options, log, onNews, prefix = [], observed, preload = [] }: NodeChildSettings) {
    this.id = options.id
    this.#log = log
    this.#onNews = onNews
    const output = openSync(log, 'a')
    const main = fileURLToPath(import.meta.resolve('@troupe/lab/tcp-node'))
    const given = [options, ...(observed === undefined ? [] : [observed])].map((each) => JSON.stringify(each))
    const first = preload.map(({ href }) => `--import=${href}`)
    const words = [...prefix, process.execPath, ...NODE_FLAGS, ...first, main, ...given]
    const [program = '', ...args] = words
    this.#child = spawn(program, args, {
      serialization: 'advanced',
      stdio: ['ignore', output, output, 'ipc'],
    })
    closeSync(output)
    this.#started.promise.catch(() => {})
    this.#child.on('message', (news: NodeNews) => this.#take(news))
    this.ended = once(this.#child, 'exit').then(
      ([code, signal]) => this.#end({ code, signal }),
      // It could not be started at all.
      (error: Error) => {
        this.#failure = error.message
        return this.#end({ code: null, signal: null })
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

  /** SIGKILL. Resolves once the process is gone. */
  async kill(): Promise<ProcessEnd> {
    this.killNow()
    return this.ended
  }

  /** For the end of this process, which cannot wait. */
  killNow(): void {
    if (!this.#hasEnded) this.#child.kill('SIGKILL')
    this.resume()
  }

  /** SIGSTOP: the process stands still until `resume`. False where it is gone, or stands still already. */
  freeze(): boolean {
    const { pid } = this.#child
    if (pid === undefined || this.#hasEnded || this.#frozen !== undefined) return false
    this.#frozen = freeze(pid)
    return true
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

  /** The last lines that it has written, for an error. */
  get tail(): string {
    const written = readFileSync(this.#log, 'utf8').trim().split('\n').slice(-TAIL_LINES)
    const lines = [this.#failure, ...written].filter((line) => line !== '')
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
        this.#hasStarted = true
        this.#started.resolve()
        break
      case 'failed':
        this.#failure = news.reason
        break
    }
    this.#onNews(news)
  }

  #end(end: ProcessEnd): ProcessEnd {
    this.#hasEnded = true
    this.resume()
    const gone = this.#unavailable(
      `its process has ended (${end.signal ?? `exit code ${end.code}`})${this.tail}`,
    )
    this.#started.reject(gone)
    for (const { reject } of this.#pending.values()) reject(gone)
    return end
  }

  #unavailable(reason: string): RaftError<'NODE_UNAVAILABLE'> {
    const node = this.id
    return new RaftError('NODE_UNAVAILABLE', `node ${node}: ${reason}`, { node, reason })
  }
}
