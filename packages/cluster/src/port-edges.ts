import type { PortMessage } from '@troupe/actor'
import { type Identity, type NodeId, planOverlay } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import type { PeerEvents } from '@troupe/transport'
import { defaultPeerWindow, PortTransport } from '@troupe/transport/ports'
import { ClientPorts } from './client-ports.ts'
import type { OverlayBirth, PortMeta } from './node-control.ts'
import type { NodeEdges } from './node-edges.ts'

/** The edges of a node on a thread: ports, which the mesh hands to it. */
export class PortEdges implements NodeEdges {
  readonly transport: PortTransport
  readonly #clients: ClientPorts
  readonly #overlay: OverlayBirth | undefined

  /** @param overlay undefined in a full mesh */
  constructor(
    identity: Identity,
    peers: PeerEvents,
    pushClient: (event: ClientEvent) => void,
    overlay?: OverlayBirth,
  ) {
    const plan = overlay && planOverlay(overlay.topology, overlay.nodes)
    this.transport = new PortTransport(identity, peers, defaultPeerWindow, plan)
    this.#clients = new ClientPorts(pushClient)
    this.#overlay = overlay
  }

  replan(nodes: readonly NodeId[]): void {
    if (this.#overlay !== undefined) this.transport.replan(planOverlay(this.#overlay.topology, nodes))
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
