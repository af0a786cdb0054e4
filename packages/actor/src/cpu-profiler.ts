/** Samples the stack of the calling thread: what V8 writes into a `.cpuprofile`, which DevTools and editors open. */
import type { Session } from 'node:inspector/promises'

/** A function, or a part of one, as it was called from one place. */
export interface CpuProfileNode {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    readonly lineNumber: number
    readonly columnNumber: number
  }
  readonly children?: readonly number[] | undefined
}

/** Times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly CpuProfileNode[]
  readonly startTime: number
  readonly endTime: number
  /** The node that each sample met. */
  readonly samples?: readonly number[] | undefined
  /** Before each sample, since the one before it. */
  readonly timeDeltas?: readonly number[] | undefined
}

const SAMPLE_US = 250

export class CpuProfiler {
  readonly #session: Session

  private constructor(session: Session) {
    this.#session = session
  }

  /** Begins to sample the calling thread. It costs a few percent of its time. */
  static async start(): Promise<CpuProfiler> {
    // Loaded only where it is used: it is not there in every build of Node.js.
    const { Session } = await import('node:inspector/promises')
    const session = new Session()
    session.connect()
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US })
    await session.post('Profiler.start')
    return new CpuProfiler(session)
  }

  async stop(): Promise<CpuProfile> {
    const { profile } = await this.#session.post('Profiler.stop')
    this.#session.disconnect()
    return profile
  }
}
