/**
 * What the replicated kv must hold, by the commands that were applied first anywhere, and in which order. Every value
 * that is written is unique, so that an answer says which write it saw: each answer is held against all answers that
 * clients had before it was asked for. (The order of the log is one witness of linearizability; the checker of histories,
 * which knows nothing of it, is asked at the end of a run.)
 */
import type { Codec } from '@troupe/machines'

const SET = 1
const COMPARE_AND_SET = 3

/** One command that was applied. */
interface Applied {
  /** Its place among all commands, from 1. */
  readonly order: number
  /** Place of the write that its key had its value from afterwards: its own, where it wrote. 0: no value. */
  readonly effective: number
  /** Version of the key where it wrote; 0 where it did not. */
  readonly version: number
  /** Of the entry that brought it. */
  readonly index: number
}

interface Cell {
  readonly value: string
  readonly order: number
  readonly version: number
}

/** Which value a query saw. */
export interface Reading {
  readonly value: unknown
  readonly version: number
}

export class Oracle {
  readonly #codec: Codec
  readonly #isOfKv: boolean
  readonly #cells = new Map<string, Cell>()
  /** By the value that was, or was not, written. */
  readonly #commands = new Map<string, Applied>()
  /** Values of writes that a client was told will never be. */
  readonly #never = new Map<string, string>()
  /** By key: place of the latest write that any client knows of. */
  readonly #floors = new Map<string, number>()
  /** By index: how many writes of that entry were acknowledged. */
  readonly #acknowledged = new Map<number, number>()
  #applied = 0
  /** Digest after each payload, from the first. */
  readonly #digests: number[] = []

  /** @param isOfKv whether the commands are the kv's: of others only that all replicas run the same */
  constructor(codec: Codec, isOfKv = true) {
    this.#codec = codec
    this.#isOfKv = isOfKv
  }

  /** Commands applied. */
  get applied(): number {
    return this.#applied
  }

  /** Payloads applied. */
  get payloads(): number {
    return this.#digests.length
  }

  /** Some machine ran its `count`th payload. Undefined, or what is wrong with that. */
  ran(count: number, digest: number, payload: Uint8Array, index = 0): string | undefined {
    const known = this.#digests[count - 1]
    if (known !== undefined) return known === digest ? undefined : `payload ${count} leads to another state`
    if (count !== this.#digests.length + 1)
      return `payload ${count} is run, ${this.#digests.length + 1} never was`
    this.#digests.push(digest)
    return this.#isOfKv ? this.#run(payload, index) : undefined
  }

  /** What the state digest is after `count` payloads. */
  digestAt(count: number): number | undefined {
    return this.#digests[count - 1]
  }

  #run(payload: Uint8Array, index: number): string | undefined {
    let commands: unknown
    try {
      commands = this.#codec.decode(payload)
    } catch {
      return 'a payload was applied that does not decode'
    }
    for (const command of commands as unknown[][]) {
      this.#applied++
      const [op, key] = command as [number, string]
      const cell = this.#cells.get(key)
      const value = command[op === SET ? 2 : 3] as string
      if (this.#commands.has(value)) return `the write of ${value} was applied twice`
      const told = this.#never.get(value)
      if (told !== undefined) return `the write of ${value} was applied after its client was told ${told}`
      if (op !== SET && op !== COMPARE_AND_SET) return `a command was applied that nobody sent: ${command}`
      const order = this.#applied
      if (op === COMPARE_AND_SET && (command[2] ?? undefined) !== cell?.value) {
        this.#commands.set(value, { order, effective: cell?.order ?? 0, version: 0, index })
        continue
      }
      const version = (cell?.version ?? 0) + 1
      this.#cells.set(key, { value, order, version })
      this.#commands.set(value, { order, effective: order, version, index })
    }
    return undefined
  }

  /** The value of a key after everything applied so far. */
  valueOf(key: string): string | undefined {
    return this.#cells.get(key)?.value
  }

  /** What a client knows when it asks about `key`: hand it in with the answer. */
  floorOf(key: string): number {
    return this.#floors.get(key) ?? 0
  }

  /** A write was acknowledged. Undefined, or what is wrong with that. */
  acknowledged(key: string, value: string, hasWritten: boolean, floor: number): string | undefined {
    const command = this.#commands.get(value)
    if (command === undefined) return `the write of ${value} to ${key} was acknowledged, but never applied`
    if (command.order <= floor) return `the write of ${value} to ${key} took place before it was asked for`
    if (command.version > 0 !== hasWritten) return `the compare-and-set to ${value} was answered wrongly`
    this.#raise(key, command.effective)
    this.#acknowledged.set(command.index, this.acknowledgedAt(command.index) + 1)
    return undefined
  }

  /** How many writes of the entry at `index` were acknowledged. */
  acknowledgedAt(index: number): number {
    return this.#acknowledged.get(index) ?? 0
  }

  /** A write was refused, with a code that says that nothing happened. Undefined, or what is wrong with that. */
  refused(value: string, code: string): string | undefined {
    if (this.#commands.has(value)) return `the write of ${value} was applied, its client is told ${code}`
    this.#never.set(value, code)
    return undefined
  }

  /** A query was answered that must not be stale. */
  read(key: string, reading: Reading | undefined, floor: number): string | undefined {
    const phantom = this.sawSomething(reading)
    if (phantom !== undefined) return phantom
    const order = reading === undefined ? 0 : (this.#commands.get(reading.value as string)?.order ?? 0)
    if (order < floor) {
      return `stale read: ${key} is ${reading?.value} (write ${order}), a client knew of write ${floor} before`
    }
    this.#raise(key, order)
    return undefined
  }

  /** Any query: a stale one too must have seen what was there at some time. */
  sawSomething(reading: Reading | undefined): string | undefined {
    if (reading === undefined) return undefined
    const version = this.#commands.get(reading.value as string)?.version ?? 0
    if (version === 0) return `phantom read: ${reading.value} was never written`
    return version === reading.version
      ? undefined
      : `${reading.value} has version ${version}, not ${reading.version}`
  }

  #raise(key: string, order: number): void {
    if (order > this.floorOf(key)) this.#floors.set(key, order)
  }
}
