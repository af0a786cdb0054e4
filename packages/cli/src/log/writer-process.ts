/** The process that is killed, from the outside: what it has said, and when it dies. */
import { type ChildProcess, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SeenLog, Step } from './prove-model.ts'
import type { WriterTask } from './prove-writer.ts'

/** When it is killed. Delays are cut off finer than timers are: a commit takes a millisecond or a few. */
export type KillPlan =
  | { readonly moment: 'opening' | 'any time'; readonly delayMs: number }
  | { readonly moment: 'after an ack' | 'within a commit'; readonly acks: number; readonly delayMs: number }
  /** It ends by itself. */
  | { readonly moment: 'never' }

/** What is left of it once it is gone. */
export interface WriterStory {
  /** Undefined where it died before it had opened the log. */
  readonly found: SeenLog | undefined
  /** Every step that was handed over, or was about to be. */
  readonly steps: readonly Step[]
  readonly acknowledged: number
  /** What it says went wrong. */
  readonly failure: string | undefined
  /** What LMDB complained of: it has no other way to. */
  readonly complaints: string
  readonly hasClosed: boolean
  /** What it died of, where that was not the plan. */
  readonly death: string | undefined
}

/** Without a word for so long it hangs. */
const SILENCE_MS = 60_000

/** Beside node itself; where the package is installed this is its built file. */
export const writerCommand = (task: WriterTask): readonly [string, ...string[]] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  fileURLToPath(import.meta.resolve('@troupe/cli/log-prove-writer')),
  JSON.stringify(task),
]

/**
 * What it is started with: it starts some hundred times, and compiled code that is kept makes that four times cheaper.
 * @param scratch where that is kept, unless the user has a place for it
 */
export const writerEnvironment = (scratch: string): NodeJS.ProcessEnv => ({
  NODE_COMPILE_CACHE: join(scratch, 'compiled'),
  ...process.env,
})

/** Starts a writer, kills it as planned, and resolves once it is gone. `signal` kills it at once. */
export function runWriter(task: WriterTask, plan: KillPlan, signal: AbortSignal): Promise<WriterStory> {
  return new WriterProcess(task, plan).run(signal)
}

class WriterProcess {
  readonly #plan: KillPlan
  readonly #child: ChildProcess
  readonly #steps: Step[] = []
  #found: SeenLog | undefined
  #acknowledged = 0
  #acks = 0
  #failure: string | undefined
  #complaints = ''
  #hasClosed = false
  #isKilled = false
  #isSilent = false
  #rest = ''
  #timer: NodeJS.Timeout | undefined

  constructor(task: WriterTask, plan: KillPlan) {
    const [file, ...args] = writerCommand(task)
    this.#plan = plan
    // In a group of its own: Ctrl-C is for the parent. Without the parent it dies of its pipe.
    const env = writerEnvironment(dirname(task.path))
    this.#child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  }

  async run(signal: AbortSignal): Promise<WriterStory> {
    const child = this.#child
    const gone = Promise.withResolvers<void>()
    let death: string | undefined
    child.once('error', gone.reject)
    child.once('close', (code, killedBy) => {
      if (!this.#isKilled && !this.#hasClosed) death = killedBy ?? `exit code ${code}`
      gone.resolve()
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear(text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += text
    })
    const silence = setTimeout(() => {
      this.#isSilent = true
      this.#kill()
    }, SILENCE_MS)
    const abort = (): void => this.#kill()
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    try {
      await gone.promise
    } finally {
      signal.removeEventListener('abort', abort)
      clearTimeout(silence)
      clearTimeout(this.#timer)
    }
    return {
      found: this.#found,
      steps: this.#steps,
      acknowledged: this.#acknowledged,
      failure: this.#isSilent ? `nothing was heard of the writer for ${SILENCE_MS / 1000} s` : this.#failure,
      complaints: this.#complaints,
      hasClosed: this.#hasClosed,
      death,
    }
  }

  /** A line that was cut off by the kill tells of nothing that was done. */
  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const [word = ''] = line.split(' ', 1)
      this.#take(word, line.slice(word.length + 1))
    }
  }

  #take(word: string, rest: string): void {
    const { moment } = this.#plan
    switch (word) {
      case 'OPENING':
        if (moment === 'opening') this.#killIn(this.#plan.delayMs)
        return
      case 'FOUND':
        this.#found = JSON.parse(rest) as SeenLog
        return
      case 'HAND':
        this.#steps.push(JSON.parse(rest) as Step)
        return
      case 'ACK':
        this.#acknowledged = Number(rest)
        return this.#onAck()
      case 'CLOSED':
        this.#hasClosed = true
        return
      default:
        this.#failure ??= rest
    }
  }

  #onAck(): void {
    const plan = this.#plan
    this.#acks += 1
    if (plan.moment === 'any time' && this.#acks === 1) this.#killIn(plan.delayMs)
    else if ('acks' in plan && this.#acks === plan.acks) this.#killIn(plan.delayMs)
  }

  /** Whole milliseconds by a timer, what is left of the last one by looking at the clock. */
  #killIn(delayMs: number): void {
    const atMs = performance.now() + delayMs
    const strike = (): void => {
      while (performance.now() < atMs);
      this.#kill()
    }
    const timedMs = Math.floor(delayMs) - 1
    if (timedMs < 1) strike()
    else this.#timer = setTimeout(strike, timedMs)
  }

  #kill(): void {
    this.#isKilled = true
    this.#child.kill('SIGKILL')
  }
}
