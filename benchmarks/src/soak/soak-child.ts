/** The parent's side of the process with the cluster: its news, every line that it writes, and how it ended. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { SoakNews, SoakOrder, SoakPlan } from './soak-protocol.ts'

/** Samples come each second: whoever says nothing for so long hangs. */
const SILENCE_MS = 90_000
const SILENT = `the cluster's process said nothing for ${SILENCE_MS / 1000} s`
/** What is open is closed by then; what keeps the process longer was forgotten. */
const LEAVE_MS = 15_000
/** Notices of Node on features of its own, which older versions print. */
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning']
const POOL_THREADS = '16'

export interface ChildHandlers {
  onNews(news: SoakNews): void
  /** A line on stdout or stderr: nobody is to write there. */
  onLine(line: string): void
}

export class SoakChild {
  readonly #process: ChildProcess
  readonly #handlers: ChildHandlers
  readonly #closed: Promise<unknown[]>
  readonly #kill = () => void this.#process.kill('SIGKILL')
  readonly #silence: NodeJS.Timeout
  #ending: string | undefined
  #hasEnded = false

  constructor(plan: SoakPlan, handlers: ChildHandlers) {
    this.#handlers = handlers
    this.#process = fork(fileURLToPath(import.meta.resolve('@troupe/benchmarks/soak-main')), {
      execArgv: NODE_FLAGS,
      env: { UV_THREADPOOL_SIZE: POOL_THREADS, ...process.env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#closed = once(this.#process, 'close')
    this.#closed.catch(() => {})
    // Not even a second Ctrl-C leaves a cluster behind.
    process.on('exit', this.#kill)
    this.#silence = setTimeout(() => this.#giveUp(SILENT), SILENCE_MS)
    this.#process.on('message', (news: SoakNews) => this.#take(news))
    for (const stream of [this.#process.stdout, this.#process.stderr]) eachLine(stream, handlers.onLine)
    this.#order({ kind: 'begin', plan })
  }

  /** Why it did not end as it should; undefined where it did. */
  async ended(): Promise<string | undefined> {
    try {
      const [code, signal] = await this.#closed
      if (this.#ending !== undefined) return this.#ending
      if (signal !== null) return `the cluster's process died of ${signal}`
      return this.#hasEnded && code === 0 ? undefined : `the cluster's process ended with exit code ${code}`
    } finally {
      clearTimeout(this.#silence)
      process.off('exit', this.#kill)
    }
  }

  /** Has it end in good order, if it has not yet. */
  async stop(): Promise<void> {
    if (this.#process.connected) this.#order({ kind: 'stop' })
    await this.ended()
  }

  #order(order: SoakOrder): void {
    // It may be gone already, which `ended` tells.
    this.#process.send(order, () => {})
  }

  #take(news: SoakNews): void {
    this.#silence.refresh()
    this.#handlers.onNews(news)
    if (news.kind === 'failed') this.#ending = news.message
    if (news.kind !== 'ended' && news.kind !== 'failed') return
    this.#hasEnded = true
    const late = `the cluster's process was still there ${LEAVE_MS / 1000} s after its end: something is open`
    setTimeout(() => this.#giveUp(late), LEAVE_MS).unref()
  }

  #giveUp(why: string): void {
    this.#ending ??= why
    this.#kill()
  }
}

function eachLine(stream: NodeJS.ReadableStream | null, take: (line: string) => void): void {
  let rest = ''
  stream?.setEncoding('utf8')
  stream?.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
  })
  stream?.on('end', () => {
    if (rest !== '') take(rest)
  })
}
