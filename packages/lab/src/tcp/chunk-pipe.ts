/**
 * What the nodes of several processes tell, in the order of cause and effect: all write to one named pipe, and a node has
 * written before anybody else can see what it tells of. So the pipe has the order, whatever the clocks, and whoever is killed.
 *
 *     node: chunk ─► parts of at most PIPE_BUF bytes, each written at once ─► pipe ─► laboratory: parts of each ─► chunks
 */
import { execFileSync } from 'node:child_process'
import { constants, openSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { Chunk } from '../real/records.ts'

/** What a write to a pipe is not torn apart below: Linux's PIPE_BUF. */
const MAX_PART_BYTES = 4096
/** Length of the part, who it is of, what it is. */
const HEADER_BYTES = 4
const MORE = 0
const LAST = 1
const EXIT = 2
const RETRY_MS = 1

/**
 * Writes the chunks of a node: waits while the pipe is full. Where nobody reads any more, since the laboratory was killed, it throws:
 * a pipe that blocks by itself would keep such a process for ever, at its opening already.
 * @throws Error ENXIO, EPIPE
 */
export function chunkWriter(path: string, index: number): (chunk: Chunk) => void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  return (chunk) => {
    for (const part of partsOf(serialize(chunk), index)) writeAll(fd, part)
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))

/** All of it or nothing is written at once: it is no larger than the pipe's bound for that. */
function writeAll(fd: number, part: Buffer): void {
  for (;;) {
    try {
      writeSync(fd, part)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(sleeper, 0, 0, RETRY_MS)
    }
  }
}

function* partsOf(bytes: Buffer, index: number): Iterable<Buffer> {
  const most = MAX_PART_BYTES - HEADER_BYTES
  for (let from = 0; from < bytes.byteLength; from += most) {
    const to = Math.min(bytes.byteLength, from + most)
    yield partOf(index, to === bytes.byteLength ? LAST : MORE, bytes.subarray(from, to))
  }
}

function partOf(index: number, kind: number, payload: Uint8Array): Buffer {
  const part = Buffer.allocUnsafe(HEADER_BYTES + payload.byteLength)
  part.writeUInt16LE(payload.byteLength, 0)
  part.writeUInt8(index, 2)
  part.writeUInt8(kind, 3)
  part.set(payload, HEADER_BYTES)
  return part
}

export interface ChunkPipeEvents {
  chunk(index: number, chunk: Chunk): void
  /** Behind the last chunk of that life of the node. */
  exited(index: number, atMs: number): void
}

export class ChunkPipe {
  readonly path: string
  readonly #fd: number
  readonly #socket: Socket
  readonly #events: ChunkPipeEvents
  readonly #parts = new Map<number, Buffer[]>()
  #rest: Buffer = Buffer.alloc(0)
  #isClosed = false

  /** @param directory gets the pipe @throws Error where no pipe can be made there */
  constructor(directory: string, events: ChunkPipeEvents) {
    this.path = join(directory, 'chunks')
    this.#events = events
    execFileSync('mkfifo', [this.path])
    // For writing too: so it has no end as long as it is open here.
    this.#fd = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK)
    this.#socket = new Socket({ fd: this.#fd, readable: true, writable: false })
    this.#socket.on('data', (bytes: Buffer) => this.#take(bytes))
    this.#socket.on('error', () => {})
  }

  /** The process of a node is gone: what it has told is in the pipe, and this comes behind it. */
  exited(index: number, atMs: number): void {
    if (this.#isClosed) return
    const payload = Buffer.alloc(8)
    payload.writeDoubleLE(atMs, 0)
    try {
      writeSync(this.#fd, partOf(index, EXIT, payload))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      setTimeout(() => this.exited(index, atMs), RETRY_MS)
    }
  }

  /** Nothing is told any more. Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    let rest = this.#rest.byteLength === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (rest.byteLength >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUInt16LE(0)
      if (rest.byteLength < end) break
      this.#part(rest.readUInt8(2), rest.readUInt8(3), rest.subarray(HEADER_BYTES, end))
      rest = rest.subarray(end)
    }
    this.#rest = rest
  }

  #part(index: number, kind: number, payload: Buffer): void {
    if (this.#isClosed) return
    if (kind === EXIT) {
      // Killed in the middle of a chunk: nobody can have seen what was in it.
      this.#parts.delete(index)
      return this.#events.exited(index, payload.readDoubleLE(0))
    }
    const parts = this.#parts.get(index) ?? []
    if (kind === MORE) {
      this.#parts.set(index, [...parts, payload])
      return
    }
    this.#parts.delete(index)
    const whole = parts.length === 0 ? payload : Buffer.concat([...parts, payload])
    this.#events.chunk(index, deserialize(whole) as Chunk)
  }
}
