import { mix } from './checked-machine.ts'

const floats = new Float64Array(1)
const words = new Uint32Array(floats.buffer)

/** A running hash of everything that happened, and the lines of it where somebody wants them. */
export class Trace {
  readonly #onLine: ((line: string) => void) | undefined
  #high = 0x12345678
  #low = 0x9abcdef0

  constructor(onLine?: (line: string) => void) {
    this.#onLine = onLine
  }

  /** Whether lines are worth making. */
  get wantsLines(): boolean {
    return this.#onLine !== undefined
  }

  /** The hash so far, as 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#high) + hex(this.#low)
  }

  /** One event: its time, what it is, and three numbers that say more. */
  event(timeMs: number, kind: number, a: number, b: number, c: number): void {
    floats[0] = timeMs
    const low = mix(mix(this.#low, words[0] as number), words[1] as number)
    this.#low = mix(mix(mix(mix(low, kind), a), b), c)
    this.#high = mix(this.#high, this.#low)
  }

  line(text: string): void {
    this.#onLine?.(text)
  }
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0')
