import type { ClientConnection, ClientEvent } from '@troupe/machines'
import { type FramedSocket, frameBuffers } from './framed-socket.ts'

/**
 * A client's connection over TCP, as the gateway sees it. Its events go into the node's mailbox in the order in which they
 * happened; nothing comes after `closed`.
 */
export class ClientSocket implements ClientConnection {
  readonly framed: FramedSocket
  readonly #maxUnsentBytes: number
  readonly #offended: (offence: string) => void

  /**
   * @param broken told why, before the connection is closed over it
   * @param offended told what the node found wrong with what came
   */
  constructor(
    framed: FramedSocket,
    maxUnsentBytes: number,
    push: (event: ClientEvent) => void,
    broken: FramedSocket['handlers']['broken'],
    offended: (offence: string) => void,
    closed: (connection: ClientSocket) => void,
  ) {
    this.framed = framed
    this.#offended = offended
    this.#maxUnsentBytes = maxUnsentBytes
    framed.handlers = {
      frame: (bytes) => push({ kind: 'frame', connection: this, bytes }),
      broken,
      closed: () => {
        closed(this)
        push({ kind: 'closed', connection: this })
      },
    }
    push({ kind: 'opened', connection: this })
  }

  /** A frame larger than the whole bound goes alone. */
  send(frame: Uint8Array): boolean {
    const { framed } = this
    const { unsentBytes } = framed
    const fits = unsentBytes === 0 || unsentBytes + frame.byteLength <= this.#maxUnsentBytes
    if (!fits || framed.isClosed) return false
    framed.send(frameBuffers(frame))
    return true
  }

  close(offence?: string): void {
    if (offence !== undefined && !this.framed.isClosed) this.#offended(offence)
    this.framed.close()
  }
}
