/** Looks at the memory of the attacked nodes while a campaign goes on. */
import type { FuzzCluster } from './fuzz-cluster.ts'

export interface NodeMemory {
  readonly id: string
  /** Once it was warm, and at the end, in bytes: the least of what was seen then. */
  readonly warmBytes: number
  readonly endBytes: number
  readonly grownBytes: number
  readonly allowedBytes: number
  readonly mostBytes: number
}

interface Sample {
  readonly progress: number
  readonly bytes: number
}

const INTERVAL_MS = 500
/** Until then a node's heap grows into what it needs. */
const WARM_FROM = 0.15
const WARM_TO = 0.4
const END_FROM = 0.85
/** What a heap may breathe (bytes outside of it count with it: ADR 21), and what the campaign's entries may add to the machine and the log's tail. */
const ALLOWED_BYTES = 96 << 20
const ALLOWED_SHARE = 0.35

export class MemoryWatch {
  /** How much of the campaign is over, from 0 to 1. */
  progress = 0
  readonly #cluster: FuzzCluster
  readonly #samples = new Map<string, Sample[]>()
  readonly #timer: NodeJS.Timeout

  constructor(cluster: FuzzCluster) {
    this.#cluster = cluster
    this.#timer = setInterval(() => this.look(this.progress), INTERVAL_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  look(progress: number): void {
    for (const node of this.#cluster.nodes) {
      const bytes = this.#cluster.memoryBytes(node)
      if (bytes === undefined) continue
      const samples = this.#samples.get(node.id) ?? []
      this.#samples.set(node.id, samples)
      samples.push({ progress, bytes })
    }
  }

  /** Empty where the system does not tell. */
  get memory(): NodeMemory[] {
    return Array.from(this.#samples, ([id, samples]) => {
      const mostBytes = Math.max(...samples.map(({ bytes }) => bytes))
      const endBytes = least(samples, END_FROM, 1) ?? mostBytes
      const warmBytes = least(samples, WARM_FROM, WARM_TO) ?? endBytes
      const allowedBytes = Math.max(ALLOWED_BYTES, Math.round(warmBytes * ALLOWED_SHARE))
      return { id, warmBytes, endBytes, grownBytes: endBytes - warmBytes, allowedBytes, mostBytes }
    })
  }
}

function least(samples: readonly Sample[], from: number, to: number): number | undefined {
  const bytes = samples.flatMap((sample) =>
    sample.progress >= from && sample.progress <= to ? [sample.bytes] : [],
  )
  return bytes.length === 0 ? undefined : Math.min(...bytes)
}
