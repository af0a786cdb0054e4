/** A client that goes on writing while the cluster is attacked, and looks at the end whether all is as it was told. */
import { Client } from '@troupe/cluster/client'
import { type KvEntry, kv } from '@troupe/machines'
import type { TlsFiles } from '@troupe/transport'

const KEYS = 8
const TIMEOUT_MS = 60_000

export interface WriterReport {
  readonly acknowledged: number
  readonly failed: number
  readonly longestPauseMs: number
  /** Keys whose value or number of writes is not what was acknowledged. */
  readonly wrong: number
}

export class SteadyWriter {
  readonly #client: Client
  /** The last value of each key, which is also how often it was written. */
  readonly #written = new Array<number>(KEYS).fill(0)
  #isStopping = false
  #failed = 0
  #lastMs = performance.now()
  #longestPauseMs = 0
  readonly #loops: Promise<void>[]

  static async start(seeds: readonly string[], tls: TlsFiles | undefined): Promise<SteadyWriter> {
    const settings = { timeoutMs: TIMEOUT_MS, ...(tls === undefined ? {} : { tls }) }
    return new SteadyWriter(await Client.connect(seeds, settings))
  }

  private constructor(client: Client) {
    this.#client = client
    this.#loops = this.#written.map((_, key) => this.#write(key))
  }

  async #write(key: number): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#client.propose(kv.set(`steady-${key}`, (this.#written[key] as number) + 1))
      } catch {
        // Whether it was written nobody knows: this key is over.
        this.#failed++
        return
      }
      ;(this.#written[key] as number)++
      const nowMs = performance.now()
      this.#longestPauseMs = Math.max(this.#longestPauseMs, nowMs - this.#lastMs)
      this.#lastMs = nowMs
    }
  }

  get acknowledged(): number {
    return this.#written.reduce((sum, count) => sum + count, 0)
  }

  /** Since the last acknowledgement. */
  get silentMs(): number {
    return performance.now() - this.#lastMs
  }

  async finish(): Promise<WriterReport> {
    this.#isStopping = true
    await Promise.all(this.#loops)
    let wrong = 0
    for (const [key, written] of this.#written.entries()) {
      const found = await this.#client.query<KvEntry | undefined>(kv.get(`steady-${key}`))
      if (this.#failed === 0 && found?.value !== written) wrong++
      if (this.#failed === 0 && found?.version !== written) wrong++
    }
    await this.#client.close()
    const { acknowledged } = this
    return { acknowledged, failed: this.#failed, longestPauseMs: Math.round(this.#longestPauseMs), wrong }
  }
}
