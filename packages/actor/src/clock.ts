/** From this thread's `performance.now()` to the process's clock: both count the same ticks from other origins. */
const OFFSET_MS = measureOffset()

/** The largest of some samples: where the thread was interrupted between the two readings, the difference is too small. */
function measureOffset(): number {
  let offset = Number.NEGATIVE_INFINITY
  for (let sample = 0; sample < 8; sample++) {
    offset = Math.max(offset, Number(process.hrtime.bigint()) / 1e6 - performance.now())
  }
  return offset
}

/**
 * Milliseconds of the process's monotonic clock, with fractions. One clock for all threads of a process
 * (`performance.now()` alone has another origin in each worker), so instants of two threads may be subtracted.
 * Equal to `process.hrtime` to within a microsecond or so, without its BigInt.
 */
export function hrtimeMs(): number {
  return OFFSET_MS + performance.now()
}
