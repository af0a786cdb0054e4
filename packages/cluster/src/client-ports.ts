/**
 * A node's client connections: links whose frames go into the mailbox, each seen by the gateway as a connection.
 */
import type { MessagePort } from 'node:worker_threads'
import { Link, type LinkWindow } from '@troupe/actor'
import type { ClientConnection, ClientEvent } from '@troupe/machines'

/** What a client may have unread at a node, and a node at a client. */
export const clientWindow: LinkWindow = { maxUnreadMessages: 1024, maxUnreadBytes: 64 << 20 }

class PortConnection implements ClientConnection {
  readonly link: Link
  unreadFrames = 0
  unreadBytes = 0

  constructor(port: MessagePort, push: (event: ClientEvent) => void, forget: (gone: PortConnection) => void) {
    this.link = new Link(port, clientWindow, {
      onFrame: (bytes) => {
        this.unreadFrames++
        this.unreadBytes += bytes.byteLength
        push({ kind: 'frame', connection: this, bytes })
      },
      onClose: () => {
        forget(this)
        push({ kind: 'closed', connection: this })
      },
    })
  }

  send(frame: Uint8Array): boolean {
    return this.link.send(frame, true)
  }

  close(): void {
    this.link.close()
  }
}

export class ClientPorts {
  readonly #push: (event: ClientEvent) => void
  readonly #connections = new Set<PortConnection>()

  /** @param push puts an event into the node's mailbox */
  constructor(push: (event: ClientEvent) => void) {
    this.#push = push
  }

  add(port: MessagePort): void {
    const connection = new PortConnection(port, this.#push, (gone) => this.#connections.delete(gone))
    this.#connections.add(connection)
    this.#push({ kind: 'opened', connection })
  }

  /** The mailbox was drained: gives clients their credit back. */
  drained(): void {
    for (const connection of this.#connections) {
      if (connection.unreadFrames === 0) continue
      connection.link.consumed(connection.unreadFrames, connection.unreadBytes)
      connection.unreadFrames = 0
      connection.unreadBytes = 0
    }
  }

  close(): void {
    for (const connection of this.#connections) connection.close()
  }

  farewell(): void {
    for (const { link } of this.#connections) link.farewell()
  }
}
