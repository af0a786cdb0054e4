/**
 * The edges of a node in a process of its own: sockets.
 *
 *     open: listens ─► founders ask (founding.ts) ─► attach: peers, clients and operators are taken, peers are reached
 *
 * It listens before there is a node: an address that is taken is found out before anything is made on the disk, and a
 * cluster's first nodes have to ask each other before any of them begins.
 */
import type { Identity, NodeId } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import {
  type Address,
  type ConnectionRefusal,
  type FramedSocket,
  type ListenerEvents,
  type ListenerMetrics,
  type ListenOptions,
  type PeerEvents,
  TcpListener,
  TcpTransport,
} from '@troupe/transport'
import type { Handshake, HandshakeRefusal } from '@troupe/wire'
import type { NodeEdges } from './node-edges.ts'

export interface TcpEdgesOptions extends ListenOptions {
  /** Where the peers are; those that are not here may come by themselves. */
  readonly peers: ReadonlyMap<NodeId, Address>
}

/** What does not concern the node itself. */
export interface TcpEdgesEvents {
  /** A founder asks whether it may begin: why not, where it may not. */
  checkFounder(handshake: Handshake): HandshakeRefusal | undefined
  /** A link to that incarnation of a peer stands; nothing of it was read yet. */
  peerSeen(id: NodeId, incarnation: number): void
  /** The link to a peer has fallen. */
  peerGone(id: NodeId): void
  /** An operator was welcomed. `breakOff` counts why, and closes the connection at once. */
  control(connection: FramedSocket, breakOff: (refusal: ConnectionRefusal) => void): void
  /** A connection from that address was refused or broken off. */
  refused(refusal: ConnectionRefusal, remote: string): void
}

/** The boot that a founder asks with: no start of a node draws it. */
export const ASKING_BOOT = 0

const isAsking = ({ boot, channel }: Handshake): boolean => boot === ASKING_BOOT && channel === 'knock'

export class TcpEdges implements NodeEdges {
  readonly #options: TcpEdgesOptions
  readonly #events: TcpEdgesEvents
  /** Grows once there is a node: what is not in it the listener refuses. */
  readonly #incoming: ListenerEvents
  readonly #peers: Map<NodeId, Address>
  #listener: TcpListener | undefined
  #transport: TcpTransport | undefined

  /** Listens. @throws RaftError INVALID_OPTIONS as {@link TcpListener.open} */
  static async open(options: TcpEdgesOptions, events: TcpEdgesEvents): Promise<TcpEdges> {
    const edges = new TcpEdges(options, events)
    await edges.#listen()
    return edges
  }

  private constructor(options: TcpEdgesOptions, events: TcpEdgesEvents) {
    this.#options = options
    this.#events = events
    this.#peers = new Map(options.peers)
    this.#incoming = {
      checkPeer: (handshake) => this.#checkPeer(handshake),
      peer: (framed, handshake) => this.#accept(framed, handshake),
      refused: (refusal, remote) => events.refused(refusal, remote),
    }
  }

  async #listen(): Promise<void> {
    this.#listener = await TcpListener.open(this.#options, this.#incoming)
  }

  /** The node is there. Reaches its peers; takes whoever comes. */
  attach(identity: Identity, peers: PeerEvents, pushClient: (event: ClientEvent) => void): this {
    const { credentials } = this.#options
    const transport = new TcpTransport(
      { identity, credentials },
      {
        message: (message) => peers.message(message),
        aside: (id, aside) => peers.aside?.(id, aside),
        peerUp: (id, incarnation, boot) => {
          this.#events.peerSeen(id, incarnation)
          peers.peerUp(id, incarnation, boot)
        },
        peerGone: (id) => {
          peers.peerGone(id)
          this.#events.peerGone(id)
        },
        refused: (id, reason) => peers.refused(id, reason),
      },
    )
    this.#transport = transport
    this.#incoming.client = pushClient
    this.#incoming.control = (framed, _, breakOff) => this.#events.control(framed, breakOff)
    for (const [id, address] of this.#peers) transport.addPeer(id, address)
    return this
  }

  get transport(): TcpTransport {
    if (this.#transport === undefined) throw new Error('the edges of a node that is not there yet')
    return this.#transport
  }

  /** Where it listens. */
  get address(): Address {
    return (this.#listener as TcpListener).address
  }

  get listenerMetrics(): ListenerMetrics {
    return (this.#listener as TcpListener).metrics
  }

  /** Whether a link to that peer stands. */
  isLinked(id: NodeId): boolean {
    return this.#transport?.isLinked(id) === true
  }

  /** The peers whose addresses are known. */
  get peers(): ReadonlyMap<NodeId, Address> {
    return this.#peers
  }

  /** Reaches the node `id` at that address, from now on. */
  addPeer(id: NodeId, address: Address): void {
    this.#peers.set(id, address)
    this.#transport?.addPeer(id, address)
  }

  /** Reaches the node `id` no more, and closes the link to it. */
  removePeer(id: NodeId): void {
    this.#peers.delete(id)
    this.#transport?.removePeer(id)
  }

  drained(): void {
    this.#transport?.drained()
    this.#listener?.drained()
  }

  /** The system closes the sockets of a process that ends, before anything else of it is taken down. */
  farewell(): void {}

  async close(): Promise<void> {
    await this.#transport?.close()
    await this.#listener?.close()
  }

  #checkPeer(handshake: Handshake): HandshakeRefusal | undefined {
    if (isAsking(handshake)) return this.#events.checkFounder(handshake)
    return this.#transport === undefined
      ? { code: 'role', reason: `node "${this.#options.identity.id}" is starting` }
      : this.#transport.checkPeer(handshake)
  }

  #accept(framed: FramedSocket, handshake: Handshake): void {
    // The welcome was the answer.
    if (isAsking(handshake)) framed.close()
    else this.transport.accept(framed, handshake)
  }
}
