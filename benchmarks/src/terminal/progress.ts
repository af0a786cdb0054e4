/**
 * Progress on stderr: a bar with the time left on a terminal, one line for each phase elsewhere.
 * A job is a sequence of phases of which each says how long it is expected to take.
 */
import type { OutputStream } from '../command.ts'
import { formatDuration } from './format.ts'

const BAR_CELLS = 24
const REDRAW_MS = 200
const CLEAR_LINE = '\r\u001b[2K'

interface Phase {
  readonly label: string
  readonly expectedMs: number
  readonly startMs: number
  /** Set by steps; otherwise the clock tells. */
  stepped: number | undefined
  note: string
}

export class Progress {
  readonly #stream: OutputStream
  readonly #nowMs: () => number
  /** What all phases together are expected to take; grows when they turn out to be more. */
  #expectedMs: number
  #finishedMs = 0
  #phase: Phase | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(stream: OutputStream, expectedMs: number, nowMs: () => number = () => performance.now()) {
    this.#stream = stream
    this.#expectedMs = expectedMs
    this.#nowMs = nowMs
  }

  /** What is still to come is expected to take so long, for a job that knows it late. */
  expect(leftMs: number): void {
    this.#expectedMs = this.#finishedMs + leftMs
  }

  /** Ends the phase before and begins the next. */
  begin(label: string, expectedMs: number): void {
    this.#finishPhase()
    this.#phase = { label, expectedMs, startMs: this.#nowMs(), stepped: undefined, note: '' }
    if (this.#stream.isTTY !== true) {
      this.#stream.write(`${label} …\n`)
      return
    }
    this.draw()
    this.#timer ??= setInterval(() => this.draw(), REDRAW_MS).unref()
  }

  /** What stands behind the bar, as 'op/s right now'. */
  note(text: string): void {
    if (this.#phase !== undefined) this.#phase.note = text
  }

  /** How far the phase is, where steps tell better than the clock. */
  step(done: number, total: number): void {
    if (this.#phase !== undefined) this.#phase.stepped = done / total
  }

  /** Removes the bar. Whatever is printed next starts on a clean line. */
  end(): void {
    this.#finishPhase()
    clearInterval(this.#timer)
    this.#timer = undefined
    if (this.#stream.isTTY === true) this.#stream.write(CLEAR_LINE)
  }

  /** Where the job stands: the share that is done, 0 to 1, and the time left. */
  state(): { readonly done: number; readonly leftMs: number } {
    const phase = this.#phase
    if (phase === undefined) return { done: 0, leftMs: this.#expectedMs }
    const elapsedMs = this.#nowMs() - phase.startMs
    const share = Math.min(1, phase.stepped ?? elapsedMs / phase.expectedMs)
    const phaseLeftMs =
      phase.stepped !== undefined && phase.stepped > 0
        ? (elapsedMs / phase.stepped) * (1 - phase.stepped)
        : Math.max(0, phase.expectedMs - elapsedMs)
    const laterMs = Math.max(0, this.#expectedMs - this.#finishedMs - phase.expectedMs)
    const totalMs = Math.max(1, this.#finishedMs + phase.expectedMs + laterMs)
    return { done: (this.#finishedMs + share * phase.expectedMs) / totalMs, leftMs: phaseLeftMs + laterMs }
  }

  draw(): void {
    if (this.#phase === undefined) return
    const { label, note } = this.#phase
    const { done, leftMs } = this.state()
    const filled = Math.round(done * BAR_CELLS)
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_CELLS - filled)
    const percent = String(Math.floor(done * 100)).padStart(3)
    const parts = [`${bar} ${percent} %`, `${formatDuration(leftMs)} left`, label, note]
    const line = parts.filter((part) => part !== '').join('  ')
    this.#stream.write(CLEAR_LINE + line.slice(0, (this.#stream.columns ?? 120) - 1))
  }

  #finishPhase(): void {
    if (this.#phase !== undefined) this.#finishedMs += this.#phase.expectedMs
    this.#phase = undefined
  }
}
