/**
 * Frames on a byte stream.
 *
 *     0  u32  bytes of the payload
 *     4  u32  CRC-32 of the payload
 *     8  u32  CRC-32 of the 8 bytes before
 *    12  ...  payload
 *
 * The header has a checksum of its own, so that a length is believed only once it is known to be what was sent: noise and
 * a changed bit are refused at once, not after megabytes that were waited for in vain. No changed bit goes unseen.
 *
 * Invariants of the reader: nothing is kept of a frame whose header was not checked or whose length is above the limit; a
 * byte of a payload is copied at most twice however the stream is cut (once where the payload is below
 * {@link FIRST_BYTES}, not at all where it came in one chunk); what is allocated for a frame is at most FIRST_BYTES or
 * twice what has come of it.
 */
import { crc32 } from './crc32.ts'

export const STREAM_HEADER_BYTES = 12

/** Memory that is taken for a payload before more of it than that has come. */
const FIRST_BYTES = 1 << 20

const CHECKED_BYTES = 8

/** Why a stream is given up. */
export interface StreamDamage {
  readonly code: 'damaged' | 'oversized'
  readonly reason: string
}

/**
 * Makes a frame of `frame` itself: its first {@link STREAM_HEADER_BYTES} bytes were left free for the header, the rest is
 * the payload. No byte of that is moved.
 */
export function sealStreamFrame(frame: Uint8Array): void {
  writeHeader(frame, frame.subarray(STREAM_HEADER_BYTES))
}

/** The header of a payload that lies elsewhere: to be written right before it. */
export function streamHeaderOf(payload: Uint8Array): Uint8Array {
  const header = Buffer.allocUnsafe(STREAM_HEADER_BYTES)
  writeHeader(header, payload)
  return header
}

/** A frame of its own, with a copy of `payload`: for small ones. */
export function streamFrameOf(payload: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(STREAM_HEADER_BYTES + payload.byteLength)
  frame.set(payload, STREAM_HEADER_BYTES)
  writeHeader(frame, payload)
  return frame
}

function writeHeader(target: Uint8Array, payload: Uint8Array): void {
  const view = new DataView(target.buffer, target.byteOffset, STREAM_HEADER_BYTES)
  view.setUint32(0, payload.byteLength, true)
  view.setUint32(4, crc32(payload), true)
  view.setUint32(CHECKED_BYTES, crc32(target.subarray(0, CHECKED_BYTES)), true)
}

/** Cuts a stream into payloads, chunk by chunk. */
export class StreamReader {
  /** A longer payload is refused by its header. May change between frames. */
  maxFrameBytes: number
  readonly #onFrame: (payload: Uint8Array) => void
  readonly #header = Buffer.alloc(STREAM_HEADER_BYTES)
  #headerBytes = 0
  /** Of the frame that is being read; -1: its header has not come yet. */
  #payloadBytes = -1
  #checksum = 0
  #payload: Buffer | undefined
  #filledBytes = 0
  #framesRead = 0
  #isStopped = false

  /**
   * @param onFrame is given each payload: memory of its own, or a view of the chunk in which all of it came. It may call
   *   `stop` and change `maxFrameBytes`.
   */
  constructor(maxFrameBytes: number, onFrame: (payload: Uint8Array) => void) {
    this.maxFrameBytes = maxFrameBytes
    this.#onFrame = onFrame
  }

  /** Whether the beginning of a frame has come, and not yet its end. */
  get isInsideFrame(): boolean {
    return this.#headerBytes > 0 || this.#payloadBytes >= 0
  }

  /** Frames handed over: tells one frame from the next to whoever watches for slow ones. */
  get framesRead(): number {
    return this.#framesRead
  }

  /** Nothing more is handed over. */
  stop(): void {
    this.#isStopped = true
    this.#payload = undefined
  }

  /** Takes what came next. Gives the reason where the stream makes no sense from here on: then the reader has stopped. */
  push(chunk: Uint8Array): StreamDamage | undefined {
    let offset = 0
    while (offset < chunk.byteLength && !this.#isStopped) {
      const isHeader = this.#payloadBytes < 0
      offset = isHeader ? this.#takeHeader(chunk, offset) : this.#takePayload(chunk, offset)
      const damage = isHeader ? this.#checkHeader() : this.#checkPayload()
      if (damage === undefined) continue
      this.stop()
      return damage
    }
    return undefined
  }

  #takeHeader(chunk: Uint8Array, offset: number): number {
    const end = Math.min(offset + STREAM_HEADER_BYTES - this.#headerBytes, chunk.byteLength)
    this.#header.set(chunk.subarray(offset, end), this.#headerBytes)
    this.#headerBytes += end - offset
    return end
  }

  #checkHeader(): StreamDamage | undefined {
    if (this.#headerBytes < STREAM_HEADER_BYTES) return undefined
    const header = this.#header
    if (crc32(header.subarray(0, CHECKED_BYTES)) !== header.readUInt32LE(CHECKED_BYTES)) {
      return { code: 'damaged', reason: 'the header of a frame is damaged, or none' }
    }
    const payloadBytes = header.readUInt32LE(0)
    if (payloadBytes > this.maxFrameBytes) {
      return { code: 'oversized', reason: `a frame of ${payloadBytes} bytes, above ${this.maxFrameBytes}` }
    }
    this.#headerBytes = 0
    this.#payloadBytes = payloadBytes
    this.#checksum = header.readUInt32LE(4)
    this.#filledBytes = 0
    return payloadBytes === 0 ? this.#checkPayload() : undefined
  }

  #takePayload(chunk: Uint8Array, offset: number): number {
    const missing = this.#payloadBytes - this.#filledBytes
    const end = Math.min(offset + missing, chunk.byteLength)
    const part = chunk.subarray(offset, end)
    if (part.byteLength === this.#payloadBytes) this.#payload = part as Buffer
    else this.#room(this.#filledBytes + part.byteLength).set(part, this.#filledBytes)
    this.#filledBytes += part.byteLength
    return end
  }

  /** Memory for the payload, of which `bytes` are there. Whoever announces much has to send it before it costs anything. */
  #room(bytes: number): Buffer {
    const earlier = this.#payload
    if (earlier !== undefined && earlier.byteLength >= bytes) return earlier
    const wanted = Math.min(this.#payloadBytes, Math.max(FIRST_BYTES, 2 * bytes))
    const payload = Buffer.allocUnsafeSlow(wanted)
    if (earlier !== undefined) payload.set(earlier.subarray(0, this.#filledBytes))
    this.#payload = payload
    return payload
  }

  #checkPayload(): StreamDamage | undefined {
    if (this.#filledBytes < this.#payloadBytes) return undefined
    const payload = this.#payload ?? new Uint8Array(0)
    this.#payload = undefined
    this.#payloadBytes = -1
    if (crc32(payload) !== this.#checksum) return { code: 'damaged', reason: 'a frame is damaged' }
    this.#framesRead++
    this.#onFrame(payload)
    return undefined
  }
}
