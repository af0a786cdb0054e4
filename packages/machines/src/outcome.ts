/** Results that count upwards: `from`, `from + 1`, … one for each command. Costs nothing per command. */
export interface CountingResults {
  readonly from: number
}

/** A command's error among the results: its offset in the frame, and the reason. */
export type CommandError = readonly [offset: number, reason: string]

/** What became of consecutive commands of one session. Values only: goes over the wire and into snapshots. */
export interface Outcome {
  readonly first: number
  readonly count: number
  /** One result for each command; counting up; or undefined where all results are undefined. */
  readonly results: readonly unknown[] | CountingResults | undefined
  /** The commands that were refused, by rising offset; undefined where none was. */
  readonly errors: readonly CommandError[] | undefined
}

/** The fixed array layout of an outcome. */
export type PackedOutcome = readonly [
  first: number,
  count: number,
  results: readonly unknown[] | number | null,
  errors: readonly CommandError[] | null,
]

export function packOutcome({ first, count, results, errors }: Outcome): PackedOutcome {
  const packed = results === undefined ? null : 'from' in results ? results.from : results
  return [first, count, packed, errors ?? null]
}

export function unpackOutcome([first, count, packed, errors]: PackedOutcome): Outcome {
  const results = packed === null ? undefined : typeof packed === 'number' ? { from: packed } : packed
  return { first, count, results, errors: errors ?? undefined }
}

/** Whether `value` is what {@link packOutcome} makes: one result a command, errors at offsets that exist. */
export function isPackedOutcome(value: unknown): value is PackedOutcome {
  if (!Array.isArray(value) || value.length !== 4) return false
  const [first, count, results, errors] = value as readonly unknown[]
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count)) return false
  if ((first as number) < 1 || (count as number) < 1) return false
  const fits = Array.isArray(results)
    ? results.length === count
    : results === null || typeof results === 'number'
  if (!fits || errors === null) return fits
  return Array.isArray(errors) && errors.every((error) => isCommandError(error, count as number))
}

/** Whether `value` is the error of one of `count` commands. */
export function isCommandError(value: unknown, count: number): value is CommandError {
  if (!Array.isArray(value)) return false
  const [offset, reason] = value as readonly unknown[]
  const isOffset = Number.isSafeInteger(offset) && (offset as number) >= 0 && (offset as number) < count
  return isOffset && typeof reason === 'string'
}

/** The result at `offset`, where it is no error. */
export function resultAt(outcome: Outcome, offset: number): unknown {
  const { results } = outcome
  if (results === undefined) return undefined
  return 'from' in results ? results.from + offset : results[offset]
}

/** The part of an outcome from command `first` on, `count` commands long. */
export function sliceOutcome(outcome: Outcome, first: number, count: number): Outcome {
  const skip = first - outcome.first
  const { results } = outcome
  const errors = outcome.errors
    ?.filter(([offset]) => offset >= skip && offset < skip + count)
    .map(([offset, reason]): CommandError => [offset - skip, reason])
  return {
    first,
    count,
    results:
      results === undefined
        ? undefined
        : 'from' in results
          ? { from: results.from + skip }
          : results.slice(skip, skip + count),
    errors: errors !== undefined && errors.length > 0 ? errors : undefined,
  }
}
