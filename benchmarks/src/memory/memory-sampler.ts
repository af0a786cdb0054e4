/** Private memory of this process, and what its data take of the disk, sampled while it runs. */
import { readFileSync } from 'node:fs'
import { median } from '../latency.ts'
import { bytesBelow } from '../soak/disk-usage.ts'

export interface MemorySample {
  readonly atSeconds: number
  readonly privateBytes: number
  /** Blocks taken by logs, snapshots and states; null without a disk. */
  readonly diskBytes: number | null
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
export function summarizeMemory(
  samples: readonly Omit<MemorySample, 'diskBytes'>[],
): MemorySummary | undefined {
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

/** Samples from its start to its `stop`. */
export class MemorySampler {
  readonly samples: MemorySample[] = []
  readonly #startMs = performance.now()
  readonly #timer: NodeJS.Timeout
  readonly #directory: string | undefined

  /** @param directory whose disk usage is looked at */
  constructor(directory: string | undefined, intervalMs: number) {
    this.#directory = directory
    this.#timer = setInterval(() => this.#sample(), intervalMs)
  }

  stop(): readonly MemorySample[] {
    clearInterval(this.#timer)
    return this.samples
  }

  #sample(): void {
    const atSeconds = Math.round((performance.now() - this.#startMs) / 100) / 10
    const diskBytes = this.#directory === undefined ? null : bytesBelow(this.#directory)
    this.samples.push({ atSeconds, privateBytes: privateBytes(), diskBytes })
  }
}
