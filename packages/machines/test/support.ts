/** What the tests of this package share. */
import { createHash } from 'node:crypto'
import { type Entry, EntryKind, encodeEntry, type RaftError } from '@troupe/core'
import { codec, crc32 } from '@troupe/wire'
import fc from 'fast-check'
import {
  type Call,
  COMMAND_FRAME_HEADER_BYTES,
  type CommandFrame,
  type Consistency,
  type MachineContext,
  type Outcome,
  type OutcomeListener,
  type StateMachine,
  writeCommandFrame,
} from '../src/index.ts'

export { codec, crc32 }

/** Runs of a property: more with TROUPE_FULL. */
export const runs = (count: number): { numRuns: number } => ({
  numRuns: process.env.TROUPE_FULL ? count * 20 : count,
})

export const context = (options: Record<string, unknown> = {}): MachineContext => ({
  codec,
  checksum: crc32,
  options,
})

/** The state of a machine as a short string, for comparisons. */
export function stateOf(machine: Pick<StateMachine, 'save'>): string {
  const hash = createHash('sha256')
  for (const chunk of machine.save()) hash.update(chunk)
  return hash.digest('hex')
}

/** Everything an iterator gives. */
export function drained<T>(iterator: Iterator<T>): T[] {
  const all: T[] = []
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) all.push(next.value)
  return all
}

/** The same bytes, cut into pieces of these sizes, over and over. Each piece is a copy of its own. */
export function recut(chunks: readonly Uint8Array[], sizes: readonly number[]): Uint8Array[] {
  const all = Buffer.concat(chunks)
  const pieces: Uint8Array[] = []
  for (let offset = 0, turn = 0; offset < all.byteLength; turn++) {
    const size = sizes[turn % sizes.length] as number
    pieces.push(Uint8Array.from(all.subarray(offset, offset + size)))
    offset += size
  }
  return pieces
}

export function frameOf(
  session: number,
  first: number,
  commands: readonly unknown[],
  confirmed = 0,
): CommandFrame {
  return { session, first, count: commands.length, confirmed, payload: codec.encode(commands) }
}

/** Frames one behind the other, as they stand in a client frame and in an entry. */
export function frameBytes(frames: readonly CommandFrame[]): Uint8Array {
  let bytes = 0
  for (const { payload } of frames) bytes += COMMAND_FRAME_HEADER_BYTES + payload.byteLength
  const target = new Uint8Array(bytes)
  let offset = 0
  for (const frame of frames) offset = writeCommandFrame(target, offset, frame)
  return target
}

export function entryOf(
  index: number,
  parts: readonly Uint8Array[],
  kind: EntryKind = EntryKind.commands,
): Entry {
  const header = {
    index,
    term: 1,
    kind,
    timeMs: index * 10,
    commandCount: parts.length,
    configurationIndex: 0,
  }
  return encodeEntry(header, parts, crc32)
}

/** Writes down what a replica tells its clients. */
export class Ear implements OutcomeListener {
  readonly opened: [nonce: number, session: number][] = []
  readonly outcomes: [session: number, outcome: Outcome][] = []
  readonly gaps: [session: number, expected: number][] = []
  readonly stales: [session: number, first: number][] = []

  sessionOpened(nonce: number, session: number): void {
    this.opened.push([nonce, session])
  }
  outcome(session: number, outcome: Outcome): void {
    this.outcomes.push([session, outcome])
  }
  gap(session: number, expected: number): void {
    this.gaps.push([session, expected])
  }
  stale(session: number, first: number): void {
    this.stales.push([session, first])
  }
}

/** A caller that counts how often it was answered. */
export class Caller implements Call {
  readonly command: unknown
  readonly commands: readonly unknown[] | undefined
  readonly deadlineMs: number
  settled = false
  served?: Consistency
  settlements = 0
  value: unknown
  error: RaftError | undefined

  constructor(command: unknown, deadlineMs = Number.POSITIVE_INFINITY, commands?: readonly unknown[]) {
    this.command = command
    this.commands = commands
    this.deadlineMs = deadlineMs
  }

  static many(commands: readonly unknown[], deadlineMs = Number.POSITIVE_INFINITY): Caller {
    return new Caller(undefined, deadlineMs, commands)
  }

  resolve(value: unknown): void {
    this.settlements++
    this.value = value
  }

  reject(error: RaftError): void {
    this.settlements++
    this.error = error
  }
}

/** Bytes that are likely to be headers of msgpack, among others. */
export const garbage = (maxLength: number): fc.Arbitrary<Uint8Array> => {
  const byte = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 255 }) },
    { weight: 2, arbitrary: fc.integer({ min: 0xc0, max: 0xdf }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 1, 0xff, 0x91, 0x92, 0x72, 0x40) },
  )
  return fc.array(byte, { maxLength }).map((bytes) => Uint8Array.from(bytes))
}

/** Values that msgpack can carry, of all its types. */
export const msgpackValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(
      null,
      undefined,
      true,
      false,
      '',
      0,
      -1,
      127,
      128,
      255,
      256,
      65_535,
      65_536,
      2 ** 32,
      2 ** 53,
    ),
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.date({ noInvalidDate: true }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie('value'), { maxKeys: 20 }),
  ),
})).value
