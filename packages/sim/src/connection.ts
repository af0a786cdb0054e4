import type { ClientConnection } from '@troupe/machines'

/** Sends bytes one way; false where the receiver has too much unread. */
export type SendBytes = (bytes: Uint8Array) => boolean

/** A client's connection to one life of a node: both ends. Frames of a closed one arrive nowhere. */
export class Connection implements ClientConnection {
  readonly client: number
  readonly boot: number
  isOpen = true
  readonly #send: SendBytes
  readonly #onClose: () => void

  constructor(client: number, boot: number, send: SendBytes, onClose: () => void) {
    this.client = client
    this.boot = boot
    this.#send = send
    this.#onClose = onClose
  }

  /** From the node to the client. */
  send(frame: Uint8Array): boolean {
    return this.isOpen && this.#send(frame)
  }

  /** The node hangs up. */
  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#onClose()
  }
}
