/**
 * A worker's last words: when it died and of what; and how far its start has come, which one that hangs cannot tell any more.
 * A message posted just before `process.exit` may be lost; shared memory written just before it is not.
 *
 *     bytes 0–7   instant of death, ms of hrtimeMs (0: it died without a word)
 *     bytes 8–11  length of the words in bytes (0: no error)
 *     byte  12    length of the stage in bytes (0: none was reached)
 *     bytes 13–76 the stage of its start
 *     bytes 77…   the words: JSON in UTF-8
 */

import { RaftError, show, type WireError } from '@troupe/core'
import { hrtimeMs } from './clock.ts'

const CELL_BYTES = 8_192
const STAGE_AT = 13
const MAX_STAGE_BYTES = 64
const WORDS_AT = STAGE_AT + MAX_STAGE_BYTES
const MAX_TEXT_LENGTH = 1_000

/** What a dying worker says of its error: a RaftError in wire form, or any other error in plain text. */
type LastWords =
  | { readonly wire: WireError }
  | { readonly name: string; readonly message: string; readonly stack: string }

/** The shared cell of one life of a worker: written inside it, read by its supervisor after its exit. */
export class Obituary {
  /** To be handed to the worker. */
  readonly cell: SharedArrayBuffer
  readonly #view: DataView
  readonly #bytes: Uint8Array

  constructor(cell: SharedArrayBuffer = new SharedArrayBuffer(CELL_BYTES)) {
    this.cell = cell
    this.#view = new DataView(cell)
    this.#bytes = new Uint8Array(cell)
  }

  /** Inside the worker, right before its end. Only the first call counts. Never throws. */
  write(error?: unknown): void {
    if (this.#view.getFloat64(0) !== 0) return
    this.#view.setFloat64(0, hrtimeMs())
    if (error === undefined) return
    const words = encodeLastWords(error)
    this.#bytes.set(words, WORDS_AT)
    this.#view.setInt32(8, words.byteLength)
  }

  /** Inside the worker: what its start is at from now on, in some words. */
  reached(stage: string): void {
    const { written } = new TextEncoder().encodeInto(
      stage,
      this.#bytes.subarray(STAGE_AT, STAGE_AT + MAX_STAGE_BYTES),
    )
    this.#view.setUint8(STAGE_AT - 1, written)
  }

  /** Undefined: its own code does not run yet. */
  get stage(): string | undefined {
    const length = this.#view.getUint8(STAGE_AT - 1)
    if (length === 0) return undefined
    return new TextDecoder().decode(this.#bytes.slice(STAGE_AT, STAGE_AT + length))
  }

  /** When the worker wrote its obituary (see `hrtimeMs`); undefined: it died without. */
  get diedAtMs(): number | undefined {
    const ms = this.#view.getFloat64(0)
    return ms === 0 ? undefined : ms
  }

  /** The error the worker died of; undefined: of none, or without a word. */
  error(actorId: string): RaftError | undefined {
    const length = this.#view.getInt32(8)
    if (length === 0) return undefined
    // Copied: a TextDecoder takes no shared memory.
    const text = new TextDecoder().decode(this.#bytes.slice(WORDS_AT, WORDS_AT + length))
    const words = JSON.parse(text) as LastWords
    if ('wire' in words) return RaftError.fromWire(words.wire)
    const cause = Object.assign(new Error(words.message), { name: words.name, stack: words.stack })
    return unavailable(actorId, `it died of ${words.name}: ${words.message}`, cause)
  }
}

/** An actor that cannot answer; `cause`, where known, is the error it died of, with its stack. */
export function unavailable(actorId: string, reason: string, cause?: unknown): RaftError<'NODE_UNAVAILABLE'> {
  const options = cause === undefined ? undefined : { cause }
  return new RaftError('NODE_UNAVAILABLE', `${actorId}: ${reason}`, { node: actorId, reason }, options)
}

function encodeLastWords(error: unknown): Uint8Array {
  const encoder = new TextEncoder()
  const room = CELL_BYTES - WORDS_AT
  try {
    const words = encoder.encode(JSON.stringify(lastWords(error), jsonSafe))
    if (words.byteLength <= room) return words
  } catch {
    // Falls through: whatever is thrown (an object without a prototype, a getter that throws) is reported.
  }
  return encoder.encode(JSON.stringify({ name: 'Error', message: clip(textOf(error), 200), stack: '' }))
}

/** What was thrown, for people. Never throws itself. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'something that cannot be shown'
  }
}

function lastWords(error: unknown): LastWords {
  if (error instanceof RaftError) return { wire: plainData(error.toWire()) }
  if (!(error instanceof Error)) return { name: 'Error', message: clip(textOf(error)), stack: '' }
  return {
    name: error.name,
    message: clip(error.message),
    stack: clip(error.stack ?? '', 3 * MAX_TEXT_LENGTH),
  }
}

/** The data of an error may hold any value (INVALID_OPTIONS does): what is no plain value is described. */
function plainData(wire: WireError): WireError {
  const data: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(wire.data)) {
    data[key] = typeof value === 'object' && value !== null ? show(value) : value
  }
  return { ...wire, message: clip(wire.message), data: data as unknown as WireError['data'] }
}

function jsonSafe(_key: string, value: unknown): unknown {
  if (typeof value === 'string') return clip(value, 3 * MAX_TEXT_LENGTH)
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol')
    return show(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return value
}

function clip(text: string, length = MAX_TEXT_LENGTH): string {
  return text.length > length ? `${text.slice(0, length)}...` : text
}
