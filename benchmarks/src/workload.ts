/**
 * What the load consists of: commands of a given size over a given number of keys, a function of their sequence
 * number, so that whoever knows the number knows the command.
 *
 * The size of a command is that of its msgpack encoding. `kv`: the array [1, key, value], of which the array's
 * header and the operation are 1 byte each, the key is one byte and its characters, and the value is a string that
 * fills up the rest. `log`: the record is one string. Not counted is what the engine adds: 32 bytes for each frame
 * of a client, a few for each entry.
 */
import { invalidOption } from '@troupe/core'
import { type KvEntry, kv, type LogAnswer, log } from '@troupe/machines'

export interface WorkloadSpec {
  readonly machine: 'kv' | 'log'
  readonly keys: number
  readonly sizeBytes: number
  readonly seed: number
  /** Begins the names of its keys, where others have keys too. */
  readonly keyPrefix?: string
  /** How long a log was before, where others have written to it. */
  readonly logStart?: number
}

/** Values differ from one write of a key to the next: replicas that apply them in different orders end different. */
const VALUE_VARIANTS = 16
const VARIANT_MASK = VALUE_VARIANTS - 1

export class Workload {
  readonly spec: WorkloadSpec
  readonly #names: readonly string[]
  readonly #values: readonly string[]
  readonly #valueLength: number
  readonly #stride: number
  readonly #isKv: boolean

  /** @throws RaftError INVALID_OPTIONS where the size is too small for the key */
  constructor(spec: WorkloadSpec) {
    this.spec = spec
    this.#isKv = spec.machine === 'kv'
    this.#names = this.#isKv ? Array.from({ length: spec.keys }, (_, key) => keyName(key, spec)) : []
    const length = valueLength(spec)
    this.#valueLength = length
    this.#values = Array.from({ length: VALUE_VARIANTS }, (_, variant) =>
      String.fromCharCode(97 + variant).repeat(length),
    )
    this.#stride = strideOf(spec.keys, spec.seed)
  }

  /** The key that command `sequence` writes: all keys equally often, in a scattered order. */
  keyAt(sequence: number): number {
    return (sequence * this.#stride) % this.spec.keys
  }

  /**
   * The value that command `sequence` writes. The round is added, since the sequence alone would give a key the same
   * value each time where the number of keys is a multiple of the variants.
   */
  valueAt(sequence: number): string {
    const round = Math.floor(sequence / this.spec.keys)
    return this.#values[(sequence + round) & VARIANT_MASK] as string
  }

  commandAt(sequence: number): unknown {
    const value = this.valueAt(sequence)
    return this.#isKv ? kv.set(this.#names[this.keyAt(sequence)] as string, value) : log.append(value)
  }

  /** A query for what command `sequence` would write: its key, or the range of the log. */
  queryAt(sequence: number): unknown {
    return this.#isKv ? kv.get(this.#names[this.keyAt(sequence)] as string) : log.range()
  }

  /**
   * How much of what was written an answer to {@link queryAt} has seen: the key's version, or the log's length.
   * -1 for an answer that none of our writes can have led to.
   */
  seenBy(answer: unknown): number {
    if (!this.#isKv) return (answer as Partial<LogAnswer>)?.next ?? -1
    if (answer === undefined || answer === null) return 0
    const { value, version } = answer as Partial<KvEntry>
    const isOurs = typeof value === 'string' && value.length === this.#valueLength
    return isOurs ? (version ?? -1) : -1
  }

  commandsAt(first: number, count: number): unknown[] {
    const commands = new Array<unknown>(count)
    for (let offset = 0; offset < count; offset++) commands[offset] = this.commandAt(first + offset)
    return commands
  }
}

type KeySpec = Pick<WorkloadSpec, 'keys' | 'keyPrefix'>

/** Names of equal length, so that all commands have the same size. */
export function keyName(key: number, { keys, keyPrefix = 'k' }: KeySpec): string {
  return `${keyPrefix}${String(key).padStart(String(keys - 1).length, '0')}`
}

/**
 * Characters of the value. A string has no encoding of 33, 258 or 65,539 bytes: one byte less is taken there.
 */
function valueLength(spec: WorkloadSpec): number {
  const { machine, keys, sizeBytes } = spec
  const keyBytes = machine === 'kv' ? 3 + keyName(0, spec).length : 0
  const left = sizeBytes - keyBytes
  if (left < 1) {
    throw invalidOption(
      '--size',
      sizeBytes,
      `at least ${keyBytes + 1} bytes for ${machine} with ${keys} keys`,
    )
  }
  return left - stringHeaderBytes(left)
}

/** Header of a msgpack string whose encoding has `bytes` bytes. */
function stringHeaderBytes(bytes: number): number {
  if (bytes <= 33) return bytes === 33 ? 2 : 1
  if (bytes <= 258) return bytes === 258 ? 3 : 2
  return bytes <= 65_539 ? (bytes === 65_539 ? 4 : 3) : 5
}

/** Near the golden section and without a common divisor: consecutive commands meet keys far apart. */
function strideOf(keys: number, seed: number): number {
  let stride = Math.floor(keys * 0.618) + (seed % keys)
  while (greatestCommonDivisor(stride, keys) !== 1) stride++
  return stride
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right)
}
