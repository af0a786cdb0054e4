/** Sends one stream, and sees what becomes of it. */
import { connect, type Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import { readRefusal, StreamReader } from '@troupe/wire'
import { LOOPBACK } from '../free-ports.ts'
import type { FuzzStream } from './streams.ts'

export interface Attacked {
  /** Connections that were opened: two where there was a companion. */
  readonly connections: number
  /** Those that were welcomed. */
  readonly welcomed: number
  /** Those that were told why not. */
  readonly refused: number
  /** Those that could not be opened. */
  readonly unopened: number
  /** The node has closed neither soon nor later: this end had to. */
  readonly isHung: boolean
}

/** Above what a node's own limits take to close a slow one. */
const PATIENCE_MS = 20_000
/** A stream that is to be closed by the node, which is no offence where it has been welcomed and says nothing. */
const WAIT_MS = 3000
const MAX_READ_BYTES = 1 << 20
const MAX_FRAME_BYTES = 64 << 20

/**
 * @param signal breaks off: what was under way then is no fault of the node
 * @param secureContext for TLS, which the stream is sent within; without it the bytes are sent as they are
 */
export async function attack(
  stream: FuzzStream,
  port: number,
  signal: AbortSignal,
  secureContext?: SecureContext,
): Promise<Attacked> {
  const guests: Guest[] = []
  const breakOff = (): void => {
    for (const { socket } of guests) socket.destroy()
  }
  signal.addEventListener('abort', breakOff)
  try {
    return await send(stream, () => new Guest(port, secureContext), guests, signal)
  } finally {
    signal.removeEventListener('abort', breakOff)
  }
}

async function send(
  stream: FuzzStream,
  newGuest: () => Guest,
  guests: Guest[],
  signal: AbortSignal,
): Promise<Attacked> {
  if (stream.companion !== undefined) {
    const companion = newGuest()
    guests.push(companion)
    companion.socket.write(stream.companion)
    await companion.answered
  }
  const main = newGuest()
  guests.push(main)
  if (signal.aborted) main.socket.destroy()
  await write(main, stream)
  const closed = await within(main.closed, stream.end === 'wait' ? WAIT_MS : PATIENCE_MS)
  for (const { socket } of guests) socket.destroy()
  await Promise.all(guests.map((guest) => guest.closed))
  return {
    connections: guests.length,
    welcomed: guests.filter((guest) => guest.answer === 'welcomed').length,
    refused: guests.filter((guest) => guest.answer === 'refused').length,
    unopened: guests.filter((guest) => !guest.isOpened).length,
    isHung: !closed && stream.end !== 'wait',
  }
}

async function write({ socket, closed }: Guest, { parts, pauseMs, end }: FuzzStream): Promise<void> {
  for (const part of parts) {
    if (socket.destroyed) return
    socket.write(part)
    // Otherwise two writes of one turn become one.
    if (pauseMs > 0) await within(closed, pauseMs)
    else await new Promise(setImmediate)
  }
  if (end === 'fin') socket.end()
  if (end === 'reset') setTimeout(() => breakOff(socket), 5)
}

/** TLS has no reset of its own. */
function breakOff(socket: Socket): void {
  if ('encrypted' in socket) socket.destroy()
  else socket.resetAndDestroy()
}

class Guest {
  readonly socket: Socket
  readonly closed: Promise<void>
  /** The first frame came, or the connection is closed. */
  readonly answered: Promise<void>
  answer: 'welcomed' | 'refused' | undefined
  isOpened = false
  #readBytes = 0

  constructor(port: number, secureContext: SecureContext | undefined) {
    const to = { host: LOOPBACK, port, noDelay: true, allowHalfOpen: true }
    this.socket =
      secureContext === undefined
        ? connect(to)
        : connectTls({ ...to, secureContext, checkServerIdentity: () => undefined })
    const answered = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    this.answered = answered.promise
    this.closed = closed.promise
    const reader = new StreamReader(MAX_FRAME_BYTES, (payload) => {
      this.answer = readRefusal(payload) === undefined ? 'welcomed' : 'refused'
      reader.stop()
      answered.resolve()
    })
    this.socket.on('connect', () => {
      this.isOpened = true
    })
    this.socket.on('data', (chunk: Buffer) => {
      this.#readBytes += chunk.byteLength
      reader.push(chunk)
      if (this.#readBytes > MAX_READ_BYTES) this.socket.destroy()
    })
    this.socket.on('end', () => this.socket.end())
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      answered.resolve()
      closed.resolve()
    })
  }
}

/** Whether it came within that time. */
async function within(event: Promise<void>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => late.resolve(false), ms)
  const came = await Promise.race([event.then(() => true), late.promise])
  clearTimeout(timer)
  return came
}
