import {
  type Configuration,
  checkConfiguration,
  type IndexRange,
  type SnapshotMeta,
  show,
} from '@troupe/core'

/** A frame that arrived as it was sent and makes no sense. Caught at the one entry of the decoder. */
export class BadFrame extends Error {}

/** A natural number that JavaScript holds exactly. */
export function integer(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new BadFrame(`${show(value)} as a number`)
  return value as number
}

/** What fits 32 bits: counts of commands, checksums. */
export function uint32(value: unknown): number {
  const number = integer(value)
  if (number > 0xffffffff) throw new BadFrame(`${number} in 32 bits`)
  return number
}

/** A number with fractions, from 0 to `most`. */
export function real(value: unknown, most = Number.MAX_VALUE): number {
  if (typeof value === 'number' && value >= 0 && value <= most) return value
  throw new BadFrame(`${show(value)} as a number up to ${most}`)
}

export function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new BadFrame(`${show(value)} as true or false`)
  return value
}

export function name(value: unknown): string {
  if (typeof value !== 'string') throw new BadFrame('a name that is no string')
  return value
}

/** One of `values`, given by its number. */
export function oneOf<T>(values: readonly T[], number: unknown): T {
  const value = values[integer(number)]
  if (value === undefined) throw new BadFrame(`${show(number)} of ${values.length} values`)
  return value
}

export function range(from: unknown, to: unknown): IndexRange {
  const checked = { from: integer(from), to: integer(to) }
  if (checked.from < 1 || checked.from > checked.to) {
    throw new BadFrame(`a range from ${checked.from} to ${checked.to}`)
  }
  return checked
}

export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new BadFrame(`${show(value)} as a list`)
  return value
}

/** As `packMeta` wrote it. */
export function snapshotMeta(value: unknown): SnapshotMeta {
  const fields = list(value)
  if (fields.length !== 7) throw new BadFrame(`a snapshot of ${fields.length} fields`)
  const [index, term, timeMs, configuration, configurationIndex, bytes, checksum] = fields
  const meta = {
    index: integer(index),
    term: integer(term),
    timeMs: real(timeMs),
    configuration: checkedConfiguration(configuration),
    configurationIndex: integer(configurationIndex),
    bytes: integer(bytes),
    checksum: uint32(checksum),
  }
  if (meta.configurationIndex > meta.index) {
    throw new BadFrame(`configuration ${meta.configurationIndex} in a snapshot up to ${meta.index}`)
  }
  return meta
}

function checkedConfiguration(value: unknown): Configuration {
  let configuration: Configuration | undefined
  try {
    configuration = checkConfiguration(value)
  } catch {
    // A list of members with something in it that has no fields.
  }
  if (configuration === undefined) throw new BadFrame(`${show(value)} as a configuration`)
  return configuration
}
