/** Milliseconds of the computer's monotonic clock: the same for all its threads and processes. */
export const computerMs = (): number => Number(process.hrtime.bigint()) / 1e6
