/** Private memory of this process, sampled each second. */
import { readFileSync } from 'node:fs'
import { median } from '../latency.ts'

export interface MemorySample {
  readonly atSeconds: number
  readonly privateBytes: number
}

export interface MemorySummary {
  readonly maxBytes: number
  /** Median around the middle of the run. */
  readonly middleBytes: number
  /** Median of the end of the run. */
  readonly endBytes: number
  readonly growthBytes: number
}

/** Medians are taken over this share of the run. */
const WINDOW_SHARE = 1 / 6

/**
 * Anonymous memory (RssAnon on Linux): what the process itself has taken. Mapped pages of LMDB are the kernel's, which
 * takes them back when it likes. Elsewhere the resident set, which includes them.
 */
export function privateBytes(): number {
  try {
    const found = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
    if (found !== null) return Number(found[1]) * 1024
  } catch {
    // No /proc here.
  }
  return process.memoryUsage.rss()
}

/** Undefined for less than two samples. */
export function summarizeMemory(samples: readonly MemorySample[]): MemorySummary | undefined {
  const last = samples.at(-1)
  if (last === undefined || samples.length < 2) return undefined
  const width = last.atSeconds * WINDOW_SHARE
  const around = (fromSeconds: number, toSeconds: number): number => {
    const within = samples.filter(({ atSeconds }) => atSeconds >= fromSeconds && atSeconds <= toSeconds)
    return median((within.length > 0 ? within : samples).map((sample) => sample.privateBytes))
  }
  const middle = last.atSeconds / 2
  const middleBytes = around(middle - width / 2, middle + width / 2)
  const endBytes = around(last.atSeconds - width, last.atSeconds)
  const maxBytes = Math.max(...samples.map((sample) => sample.privateBytes))
  return { maxBytes, middleBytes, endBytes, growthBytes: endBytes - middleBytes }
}

const INTERVAL_MS = 1000

/** Samples from its start to its `stop`. */
export class MemorySampler {
  readonly samples: MemorySample[] = []
  readonly #startMs = performance.now()
  readonly #timer: NodeJS.Timeout

  constructor() {
    this.#timer = setInterval(() => this.#sample(), INTERVAL_MS)
  }

  stop(): readonly MemorySample[] {
    clearInterval(this.#timer)
    return this.samples
  }

  #sample(): void {
    const atSeconds = Math.round((performance.now() - this.#startMs) / 100) / 10
    this.samples.push({ atSeconds, privateBytes: privateBytes() })
  }
}
