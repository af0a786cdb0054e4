/**
 * How busy the calling thread has been. Counted by Node.js and the operating system anyway: reading it costs
 * microseconds, and not reading it nothing.
 */

/** Since the thread started: subtract two of them for the time between. */
export interface ThreadUsage {
  /** Time in which the event loop had something to do, whether or not a processor was free for it. */
  readonly eventLoopActiveMs: number
  readonly eventLoopIdleMs: number
  /**
   * Processor time of this thread alone: flushes run on libuv's pool and are not in it, and neither is what V8 does on
   * threads of its own. Null where Node.js cannot tell (before 23.9).
   */
  readonly threadCpuMs: number | null
}

const US_PER_MS = 1000

/** Of the thread that calls it. */
export function threadUsage(): ThreadUsage {
  const { active, idle } = performance.eventLoopUtilization()
  // Not there before Node.js 23.9, whatever the types say.
  const cpu = (process as Partial<NodeJS.Process>).threadCpuUsage?.()
  return {
    eventLoopActiveMs: active,
    eventLoopIdleMs: idle,
    threadCpuMs: cpu === undefined ? null : (cpu.user + cpu.system) / US_PER_MS,
  }
}

/** Shares of the time between two readings, 0 to 1. */
export interface Utilization {
  /** Null where no time has passed. */
  readonly eventLoop: number | null
  /** Well below `eventLoop`: the thread waited for a processor. Null where nobody can tell. */
  readonly cpu: number | null
}

/** What share of the time between two readings a thread was busy. */
export function utilizationBetween(before: ThreadUsage, after: ThreadUsage): Utilization {
  const activeMs = after.eventLoopActiveMs - before.eventLoopActiveMs
  const idleMs = after.eventLoopIdleMs - before.eventLoopIdleMs
  const elapsedMs = activeMs + idleMs
  // A thread that was started anew in between began to count at 0.
  if (elapsedMs <= 0 || activeMs < 0 || idleMs < 0) return { eventLoop: null, cpu: null }
  const hasCpu = before.threadCpuMs !== null && after.threadCpuMs !== null
  const cpuMs = hasCpu ? (after.threadCpuMs as number) - (before.threadCpuMs as number) : null
  return { eventLoop: activeMs / elapsedMs, cpu: cpuMs === null ? null : cpuMs / elapsedMs }
}
