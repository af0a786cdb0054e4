/**
 * A socket that carries frames, with a bound on what its owner has not read and one on what lies unsent.
 *
 *     socket ─ chunks ─► StreamReader ─► frame ─► mailbox ─► drained()
 *        ▲ pause, while more is unread than the window allows ◄─┘
 *
 * Invariant: after `closed` nothing is called any more, and `closed` comes once, behind all frames.
 */
import type { Socket } from 'node:net'
import {
  STREAM_HEADER_BYTES,
  type StreamDamage,
  StreamReader,
  streamFrameOf,
  streamHeaderOf,
} from '@troupe/wire'

/** What may be unread; a single larger frame is taken all the same. */
export interface ReadWindow {
  readonly maxUnreadFrames: number
  readonly maxUnreadBytes: number
}

export interface SocketHandlers {
  frame(payload: Uint8Array): void
  /** The stream makes no sense from here on; nothing more is read. The owner closes or refuses. */
  broken(damage: StreamDamage): void
  closed(): void
}

/** A payload up to this size is copied behind its header: cheaper than a write of two buffers. */
const COPIED_BYTES = 4096

/** What is read and thrown away while a refusal is on its way: closing with unread data would overtake it. */
const MAX_IGNORED_BYTES = 64 << 10

const KEEPALIVE = streamFrameOf(new Uint8Array(0))

/** The buffers of a frame, its header made here. `payload` must not be changed any more. */
export function frameBuffers(payload: Uint8Array): readonly Uint8Array[] {
  return payload.byteLength <= COPIED_BYTES ? [streamFrameOf(payload)] : [streamHeaderOf(payload), payload]
}

export class FramedSocket {
  readonly socket: Socket
  /** May be replaced between frames. */
  handlers: SocketHandlers
  readonly #reader: StreamReader
  #window: ReadWindow = {
    maxUnreadFrames: Number.POSITIVE_INFINITY,
    maxUnreadBytes: Number.POSITIVE_INFINITY,
  }
  #unreadFrames = 0
  #unreadBytes = 0
  #ignoredBytes = 0
  #isOpen = false
  #isClosed = false
  #isClosing = false
  // Since a watchdog last looked.
  #hasSent = false
  #hasReceived = false
  #seenFrames = -1

  /** Takes over an open socket. */
  constructor(socket: Socket, maxFrameBytes: number, handlers: SocketHandlers) {
    this.socket = socket
    this.handlers = handlers
    this.#reader = new StreamReader(maxFrameBytes, (payload) => this.#frame(payload))
    // Told by `close`, which follows.
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => this.#data(chunk))
    socket.on('end', () => this.#end())
    socket.on('close', () => this.#closed())
  }

  get isClosed(): boolean {
    return this.#isClosed || this.#isClosing || this.socket.destroyed
  }

  get remoteAddress(): string {
    return `${this.socket.remoteAddress ?? '?'}:${this.socket.remotePort ?? 0}`
  }

  /** Handed to the socket, and not yet taken by the kernel. */
  get unsentBytes(): number {
    return this.socket.writableLength
  }

  /** From now on frames of that size are read, and so much may be unread. */
  open(maxFrameBytes: number, window: ReadWindow): void {
    this.#isOpen = true
    this.#reader.maxFrameBytes = maxFrameBytes
    this.#window = window
  }

  /**
   * Sends buffers that make up whole frames, in one write.
   * @param taken called when the kernel has all of them, or never will: then `isClosed` is true
   */
  send(buffers: readonly Uint8Array[], taken?: () => void): void {
    if (this.isClosed || this.socket.writableEnded) return
    this.#hasSent = true
    const { socket } = this
    const last = buffers.length - 1
    if (last > 0) socket.cork()
    for (let at = 0; at < last; at++) socket.write(buffers[at] as Uint8Array)
    socket.write(buffers[last] as Uint8Array, taken)
    if (last > 0) socket.uncork()
  }

  /** The owner has read everything handed over so far. */
  drained(): void {
    if (this.#unreadFrames === 0) return
    this.#unreadFrames = 0
    this.#unreadBytes = 0
    if (this.socket.isPaused()) this.socket.resume()
  }

  /** Sends a last frame, says goodbye, and reads no more: `closed` follows within about `lingerMs`. */
  refuse(payload: Uint8Array, lingerMs = 1000): void {
    if (this.isClosed) return
    this.#stopReading()
    this.socket.end(streamFrameOf(payload))
    this.#destroyAfter(lingerMs)
  }

  /**
   * Closes once what was sent has left and the other end has closed too, or after `lingerMs`; reads no more. `closed`
   * follows. (Closing before what the other end has sent was read would cost it what was sent to it.)
   */
  close(lingerMs = 1000): void {
    if (this.isClosed) return
    this.#stopReading()
    this.socket.end()
    this.#destroyAfter(lingerMs)
  }

  /** Says that nothing more will be sent, and goes on reading. */
  end(): void {
    this.socket.end()
  }

  /** Closes at once. `closed` follows. */
  destroy(): void {
    this.#stopReading()
    this.socket.destroy()
  }

  /**
   * For a watchdog that looks at intervals: says something where nothing was sent since it last looked, so that the other
   * end knows that somebody is there.
   */
  keepAlive(): void {
    if (!this.#hasSent && this.unsentBytes === 0) this.send([KEEPALIVE])
    this.#hasSent = false
  }

  /** Whether anything came since this was last asked. A socket that this end does not read is no silent one. */
  hasHeard(): boolean {
    const hasHeard = this.#hasReceived || this.socket.isPaused()
    this.#hasReceived = false
    return hasHeard
  }

  /** Whether the frame that is on its way was so already when this was last asked. */
  isInSameFrame(): boolean {
    const { framesRead, isInsideFrame } = this.#reader
    const isSame = isInsideFrame && framesRead === this.#seenFrames && !this.socket.isPaused()
    this.#seenFrames = isInsideFrame ? framesRead : -1
    return isSame
  }

  #data(chunk: Buffer): void {
    this.#hasReceived = true
    if (this.#isClosing) {
      this.#ignoredBytes += chunk.byteLength
      if (this.#ignoredBytes > MAX_IGNORED_BYTES) this.socket.destroy()
      return
    }
    const damage = this.#reader.push(chunk)
    if (damage !== undefined && !this.isClosed) this.handlers.broken(damage)
  }

  #frame(payload: Uint8Array): void {
    // Somebody is there, and has nothing to say. Before the handshake that is no handshake.
    if (payload.byteLength === 0 && this.#isOpen) return
    this.#unreadFrames++
    this.#unreadBytes += payload.byteLength + STREAM_HEADER_BYTES
    const { maxUnreadFrames, maxUnreadBytes } = this.#window
    if (this.#unreadFrames >= maxUnreadFrames || this.#unreadBytes >= maxUnreadBytes) this.socket.pause()
    this.handlers.frame(payload)
  }

  #stopReading(): void {
    this.#isClosing = true
    this.#reader.stop()
    this.socket.resume()
  }

  #destroyAfter(ms: number): void {
    const timer = setTimeout(() => this.socket.destroy(), ms)
    this.socket.once('close', () => clearTimeout(timer))
  }

  /** The other end has said all. What is on its way there (a refusal) still leaves. */
  #end(): void {
    if (this.#isClosing) this.socket.destroySoon()
    else this.destroy()
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#reader.stop()
    this.handlers.closed()
  }
}
