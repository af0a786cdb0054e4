/** What is measured by itself: one part of the engine at a time. */

/** What its time is divided by. */
export type Yardstick =
  /** A loop of plain JavaScript: a faster processor speeds up both. */
  | 'loop'
  /** One small write and its flush: a faster disk speeds up both. */
  | 'flush'
  /** A message to another thread and back, without the engine. */
  | 'hop'

export interface MicroTask {
  readonly name: string
  /** What one call handles so many of. */
  readonly unit: string
  readonly unitsPerCall: number
  readonly yardstick: Yardstick
  /** Makes what it needs, below `directory` where that is on the disk. */
  prepare(directory: string): Promise<PreparedTask>
}

export interface PreparedTask {
  /** Does it once. */
  readonly call: () => unknown
  /** Whether a call waits for another thread or the disk: the next one begins only when it is done. */
  readonly isAsync: boolean
  readonly close?: () => Promise<void>
}

/** A task that needs nothing but the processor. `make` gives the call. */
export function computing(
  name: string,
  unit: string,
  unitsPerCall: number,
  make: () => () => unknown,
): MicroTask {
  return {
    name,
    unit,
    unitsPerCall,
    yardstick: 'loop',
    prepare: async () => ({ call: make(), isAsync: false }),
  }
}
