/**
 * The replicated state as it goes into a snapshot: a stream of frames (chunk-frames.ts), each beginning with its kind.
 *
 *     header    format, applied index, log time, last session number
 *     sessions  pieces of Sessions.view, as many as there are
 *     machine   bytes of the state machine, in pieces
 */
import { invariant, type StateLoader } from '@troupe/core'
import { damagedState, FrameReader, sizedFrame } from './chunk-frames.ts'
import type { Codec } from './machine.ts'
import type { Sessions } from './sessions.ts'

const FORMAT = 1

const FrameKind = { header: 1, sessions: 2, machine: 3 } as const
type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

/** A machine's chunks are cut: whoever loads them need not put together more than this. */
const MAX_FRAME_BYTES = 256 << 10

/** What a replica knows beside its machine's state. */
export interface ReplicaState {
  readonly appliedIndex: number
  readonly timeMs: number
  readonly lastSession: number
  readonly sessions: Iterator<Uint8Array>
}

/** The pieces of a state, with at most one chunk of the machine in memory. */
export class StateSave implements Iterator<Uint8Array, undefined> {
  readonly #machine: Iterator<Uint8Array>
  readonly #frames: Iterator<Uint8Array>
  #isOver = false

  constructor(state: ReplicaState, machine: Iterator<Uint8Array>, codec: Codec) {
    this.#machine = machine
    this.#frames = framesOf(state, machine, codec)
  }

  next(): IteratorResult<Uint8Array, undefined> {
    const next = this.#isOver ? undefined : this.#frames.next()
    if (next !== undefined && next.done !== true) return { done: false, value: next.value }
    this.#isOver = true
    return { done: true, value: undefined }
  }

  /** Not a generator's own: that would not reach the machine where nothing was pulled yet. */
  return(): IteratorResult<Uint8Array, undefined> {
    if (!this.#isOver) this.#machine.return?.()
    this.#isOver = true
    return { done: true, value: undefined }
  }
}

function* framesOf(
  { appliedIndex, timeMs, lastSession, sessions }: ReplicaState,
  machine: Iterator<Uint8Array>,
  codec: Codec,
): Generator<Uint8Array, undefined, undefined> {
  yield frame(FrameKind.header, codec.encode([FORMAT, appliedIndex, timeMs, lastSession]))
  for (let next = sessions.next(); next.done !== true; next = sessions.next())
    yield frame(FrameKind.sessions, next.value)
  for (let next = machine.next(); next.done !== true; next = machine.next()) {
    const chunk = next.value
    for (let offset = 0; offset < chunk.byteLength; offset += MAX_FRAME_BYTES)
      yield frame(FrameKind.machine, chunk.subarray(offset, offset + MAX_FRAME_BYTES))
  }
  return undefined
}

const frame = (kind: FrameKind, bytes: Uint8Array): Uint8Array => sizedFrame(Uint8Array.of(kind), bytes)

/** Takes the pieces in, cut anywhere. Throws RaftError STORAGE_DAMAGED where they make no sense. */
export class StateReader {
  readonly #sessions: Sessions
  readonly #machine: StateLoader
  readonly #codec: Codec
  readonly #frames = new FrameReader((bytes) => this.#frame(bytes))
  #header: { readonly appliedIndex: number; readonly timeMs: number } | undefined

  /** @param sessions empty ones, to be filled */
  constructor(sessions: Sessions, machine: StateLoader, codec: Codec) {
    this.#sessions = sessions
    this.#machine = machine
    this.#codec = codec
  }

  chunk(bytes: Uint8Array): void {
    this.#frames.chunk(bytes)
  }

  #frame(bytes: Uint8Array): void {
    const [kind] = bytes
    const body = bytes.subarray(1)
    if ((kind === FrameKind.header) !== (this.#header === undefined))
      throw damagedState('it does not begin with its header')
    switch (kind) {
      case FrameKind.header:
        return this.#readHeader(body)
      case FrameKind.sessions:
        return this.#sessions.restore(body, this.#codec)
      case FrameKind.machine:
        return this.#machine.chunk(body)
      default:
        throw damagedState(`a piece of kind ${kind}`)
    }
  }

  #readHeader(bytes: Uint8Array): void {
    const [format, appliedIndex, timeMs, lastSession] = this.#codec.decode(bytes) as readonly number[]
    if (format !== FORMAT) throw damagedState(`format ${format}, this version reads ${FORMAT}`)
    invariant(appliedIndex !== undefined && timeMs !== undefined, 'a state without index and time')
    this.#header = { appliedIndex, timeMs }
    this.#sessions.restoreLastId(lastSession ?? 0)
  }

  /** All is there: hands it to the machine. Returns what the state says about itself. */
  end(): { readonly index: number; readonly timeMs: number } {
    this.#frames.end()
    if (this.#header === undefined) throw damagedState('it is empty')
    this.#machine.end()
    const { appliedIndex: index, timeMs } = this.#header
    return { index, timeMs }
  }
}
