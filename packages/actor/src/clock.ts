/**
 * Milliseconds of the process's monotonic clock, with fractions. One clock for all threads of a process
 * (`performance.now()` has another origin in each worker), so instants of two threads may be subtracted.
 */
export function hrtimeMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
