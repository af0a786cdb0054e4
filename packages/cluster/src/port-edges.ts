import type { PortMessage } from '@troupe/actor'
import type { Identity } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import { type PeerEvents, PortTransport } from '@troupe/transport'
import { ClientPorts } from './client-ports.ts'
import type { PortMeta } from './node-control.ts'
import type { NodeEdges } from './node-edges.ts'

/** The edges of a node on a thread: ports, which the mesh hands to it. */
export class PortEdges implements NodeEdges {
  readonly transport: PortTransport
  readonly #clients: ClientPorts

  constructor(identity: Identity, peers: PeerEvents, pushClient: (event: ClientEvent) => void) {
    this.transport = new PortTransport(identity, peers)
    this.#clients = new ClientPorts(pushClient)
  }

  /** A port came from the mesh. */
  add({ from, meta, port }: PortMessage): void {
    if ((meta as PortMeta).kind === 'peer') this.transport.add(from, port)
    else this.#clients.add(port)
  }

  drained(): void {
    this.transport.drained()
    this.#clients.drained()
  }

  farewell(): void {
    this.transport.farewell()
    this.#clients.farewell()
  }

  async close(): Promise<void> {
    this.transport.close()
    this.#clients.close()
  }
}
