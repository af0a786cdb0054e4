/**
 * A link: one end of a MessagePort pair that carries binary frames, with flow control in messages and in
 * bytes.
 *
 *     sender                                        receiver
 *     send() ── frame ────────────────────────────► onFrame ─► mailbox ─► drain ─► consumed()
 *            ◄──────────────── [messages, bytes] ── grant, when half of the window was consumed
 *     refused ── WANT ────────────────────────────► grant now, or at the next consumed()
 *     onWritable ◄── grant
 *     farewell() ── FAREWELL ─────────────────────► onClose, before the thread is gone
 *
 * Invariants: sent - granted (what is not known to be drained) never exceeds the window, but for one frame
 * larger than the whole byte window, which goes alone. Grants are cumulative, so that they say the same when
 * repeated. WANT is what makes lazy grants safe: a sender whose next frame does not fit into the half that
 * was not granted yet would wait for ever.
 */
import type { MessagePort } from 'node:worker_threads'
import { invalidOption, invariant } from '@troupe/core'

/** The window of a link. Both ends must be given the same: each end holds the other to it. */
export interface LinkWindow {
  /** How many frames may be sent that the receiver has not drained. At least 1. */
  readonly maxUnreadMessages: number
  /** How many bytes may be sent that the receiver has not drained. At least 1. */
  readonly maxUnreadBytes: number
}

/** What a link calls. Never called from inside the constructor, `send` or `close`. */
export interface LinkHandlers {
  /** A frame came. It counts against the sender's window until the owner calls `link.consumed`. */
  readonly onFrame: (frame: Uint8Array, link: Link) => void
  /**
   * The link is closed, by either end or by the death of the peer's thread (0.3–3 ms after it, at once where it said
   * farewell). Called once. A hint, not a proof of death: a living peer can close its end.
   */
  readonly onClose?: (link: Link) => void
  /** After a refusal: a frame of the smallest refused size fits again. Called once per refusal. */
  readonly onWritable?: (link: Link) => void
}

/** Counts since the link was made. */
export interface LinkMetrics {
  readonly sentFrames: number
  readonly sentBytes: number
  readonly receivedFrames: number
  readonly receivedBytes: number
  /** Calls of `send` that returned false. */
  readonly refusedFrames: number
  /** Flow control messages sent: credit given back to the peer. */
  readonly grantsSent: number
  /** Flow control messages sent: credit asked of the peer. */
  readonly wantsSent: number
  /** What was sent and is not known to be drained: now. */
  readonly unreadMessages: number
  readonly unreadBytes: number
  /** Why the link was closed by this end without being asked to: the peer broke the protocol. */
  readonly violation: string | undefined
}

/** The message that asks for credit. Anything that is no object is cheap to clone. */
const WANT = 0

/** The last message: this end's thread is about to go. */
const FAREWELL = -1

/** One end of a link. See the head of this file. */
export class Link {
  readonly #port: MessagePort
  readonly #handlers: LinkHandlers
  readonly #maxUnreadMessages: number
  readonly #maxUnreadBytes: number
  readonly #transferList: ArrayBuffer[] = []
  #closed = false
  #closeIsTold = false
  #violation: string | undefined

  // As a sender. `freed` is what the peer has reported as drained.
  #sentFrames = 0
  #sentBytes = 0
  #freedFrames = 0
  #freedBytes = 0
  #refusedFrames = 0
  /** The smallest frame that was refused since the last `onWritable`; -1: none. */
  #wantedBytes = -1
  #wantIsOut = false
  #wantsSent = 0

  // As a receiver. `granted` is what the peer was told of `consumed`.
  #receivedFrames = 0
  #receivedBytes = 0
  #consumedFrames = 0
  #consumedBytes = 0
  #grantedFrames = 0
  #grantedBytes = 0
  #peerWants = false
  #grantsSent = 0

  /**
   * Takes over an open port, starts it and keeps the thread alive while it is open.
   * @throws RaftError INVALID_OPTIONS when a bound of the window is not a positive integer
   */
  constructor(port: MessagePort, window: LinkWindow, handlers: LinkHandlers) {
    this.#port = port
    this.#handlers = handlers
    this.#maxUnreadMessages = positiveInteger('maxUnreadMessages', window.maxUnreadMessages)
    this.#maxUnreadBytes = positiveInteger('maxUnreadBytes', window.maxUnreadBytes)
    port.on('close', () => this.#onPortClose())
    port.on('messageerror', () => this.#violate('a message that cannot be read'))
    // Also what keeps the thread alive: a port with only a 'close' listener does not.
    port.on('message', (message: unknown) => this.#onMessage(message))
  }

  /** True once `close` was called or the peer is gone. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Sends a frame, or refuses it: false when the window is used up or the link is closed. A refused frame is
   * still the caller's; `onWritable` tells when to try again. Nothing is ever queued here.
   *
   * @param transfer true: the memory moves to the receiver and is gone here; the frame must own its whole
   *   ArrayBuffer. False: the frame is copied and stays the caller's; a view of a larger buffer is fine.
   * @throws RaftError INVALID_OPTIONS when a frame to be transferred is a view of a part of its buffer
   */
  send(frame: Uint8Array | ArrayBuffer, transfer: boolean): boolean {
    // Before the post: a transferred frame has no length any more.
    const bytes = frame.byteLength
    if (!this.canSend(bytes)) {
      this.#refusedFrames++
      return false
    }
    if (transfer) this.#transfer(wholeBuffer(frame))
    else if (ownsItsMemory(frame)) this.#port.postMessage(frame)
    else this.#transfer(exactCopy(frame))
    this.#sentFrames++
    this.#sentBytes += bytes
    return true
  }

  /**
   * Whether a frame of so many bytes would be sent now. False counts as a refusal (credit is asked of the
   * peer and `onWritable` will be called), but for a closed link, which stays closed.
   */
  canSend(bytes: number): boolean {
    if (this.#closed) return false
    if (this.#fits(bytes)) return true
    if (this.#wantedBytes < 0 || bytes < this.#wantedBytes) this.#wantedBytes = bytes
    this.#want()
    return false
  }

  /** The owner has drained so many frames of so many bytes together: credit for the sender. */
  consumed(messages: number, bytes: number): void {
    this.#consumedFrames += messages
    this.#consumedBytes += bytes
    invariant(this.#consumedFrames <= this.#receivedFrames, 'a link consumed more frames than it received')
    invariant(this.#consumedBytes <= this.#receivedBytes, 'a link consumed more bytes than it received')
    const owedFrames = this.#consumedFrames - this.#grantedFrames
    const owedBytes = this.#consumedBytes - this.#grantedBytes
    if (
      this.#peerWants ||
      owedFrames * 2 >= this.#maxUnreadMessages ||
      owedBytes * 2 >= this.#maxUnreadBytes
    ) {
      this.#grant()
    }
  }

  /** Closes both ends. What was sent before still arrives; `onClose` is called here too. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#port.close()
  }

  /**
   * Tells the peer that this thread is about to end: behind everything sent, and without waiting until the thread is taken down.
   * Nothing is sent or received any more.
   */
  farewell(): void {
    if (this.#closed) return
    this.#closed = true
    this.#port.postMessage(FAREWELL)
  }

  metrics(): LinkMetrics {
    return {
      sentFrames: this.#sentFrames,
      sentBytes: this.#sentBytes,
      receivedFrames: this.#receivedFrames,
      receivedBytes: this.#receivedBytes,
      refusedFrames: this.#refusedFrames,
      grantsSent: this.#grantsSent,
      wantsSent: this.#wantsSent,
      unreadMessages: this.#sentFrames - this.#freedFrames,
      unreadBytes: this.#sentBytes - this.#freedBytes,
      violation: this.#violation,
    }
  }

  #fits(bytes: number): boolean {
    const unreadFrames = this.#sentFrames - this.#freedFrames
    if (unreadFrames >= this.#maxUnreadMessages) return false
    return unreadFrames === 0 || this.#sentBytes - this.#freedBytes + bytes <= this.#maxUnreadBytes
  }

  #transfer(buffer: ArrayBuffer): void {
    this.#transferList[0] = buffer
    this.#port.postMessage(buffer, this.#transferList)
  }

  /** At most one WANT is out: the next may leave when a grant has answered it. */
  #want(): void {
    if (this.#wantIsOut) return
    this.#wantIsOut = true
    this.#wantsSent++
    this.#port.postMessage(WANT)
  }

  #onMessage(message: unknown): void {
    // Messages already taken off the port may come after `close`.
    if (this.#closed) return
    if (message instanceof Uint8Array) this.#onFrame(message)
    else if (message instanceof ArrayBuffer) this.#onFrame(new Uint8Array(message))
    else if (Array.isArray(message)) this.#onGrant(message[0], message[1])
    else if (message === WANT) this.#onWant()
    else if (message === FAREWELL) this.#onFarewell()
    else this.#violate('a message that is no frame')
  }

  #onFrame(frame: Uint8Array): void {
    this.#receivedFrames++
    this.#receivedBytes += frame.byteLength
    const unreadFrames = this.#receivedFrames - this.#consumedFrames
    const unreadBytes = this.#receivedBytes - this.#consumedBytes
    // The sender holds itself to the window; this end's memory does not rest on that alone.
    if (unreadFrames > this.#maxUnreadMessages || (unreadBytes > this.#maxUnreadBytes && unreadFrames > 1)) {
      this.#violate('more frames than the window allows')
      return
    }
    this.#handlers.onFrame(frame, this)
  }

  #onWant(): void {
    this.#peerWants = true
    if (this.#consumedFrames > this.#grantedFrames) this.#grant()
  }

  #grant(): void {
    this.#peerWants = false
    this.#grantedFrames = this.#consumedFrames
    this.#grantedBytes = this.#consumedBytes
    if (this.#closed) return
    this.#grantsSent++
    this.#port.postMessage([this.#grantedFrames, this.#grantedBytes])
  }

  #onGrant(frames: unknown, bytes: unknown): void {
    if (
      !isBetween(frames, this.#freedFrames, this.#sentFrames) ||
      !isBetween(bytes, this.#freedBytes, this.#sentBytes)
    ) {
      this.#violate('a grant for what was not sent')
      return
    }
    this.#freedFrames = frames
    this.#freedBytes = bytes
    this.#wantIsOut = false
    if (this.#wantedBytes < 0) return
    if (!this.#fits(this.#wantedBytes)) {
      this.#want()
      return
    }
    this.#wantedBytes = -1
    this.#handlers.onWritable?.(this)
  }

  #violate(violation: string): void {
    this.#violation ??= violation
    this.close()
  }

  #onFarewell(): void {
    this.close()
    this.#onPortClose()
  }

  #onPortClose(): void {
    this.#closed = true
    if (this.#closeIsTold) return
    this.#closeIsTold = true
    this.#handlers.onClose?.(this)
  }
}

function isBetween(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most
}

/** Whether posting the frame clones the frame and nothing around it (and is not shared memory). */
function ownsItsMemory(frame: Uint8Array | ArrayBuffer): frame is ArrayBuffer | Uint8Array<ArrayBuffer> {
  if (frame instanceof ArrayBuffer) return true
  return frame.byteLength === frame.buffer.byteLength && frame.buffer instanceof ArrayBuffer
}

/** Posting a view clones all of the buffer behind it: a packer's slab is copied down to the frame first. */
function exactCopy(frame: Uint8Array): ArrayBuffer {
  return new Uint8Array(frame).buffer
}

function wholeBuffer(frame: Uint8Array | ArrayBuffer): ArrayBuffer {
  if (frame instanceof ArrayBuffer) return frame
  const { buffer, byteLength } = frame
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) return buffer
  throw invalidOption(
    'frame',
    `a view of ${byteLength} of ${buffer.byteLength} B`,
    'a frame that owns its memory',
  )
}

function positiveInteger(field: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw invalidOption(field, value, 'a positive integer')
  return value
}
