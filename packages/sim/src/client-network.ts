import { openFrame, sealFrame } from '@troupe/wire'
import type { Arrival, Carrier } from './carrier.ts'
import { Connection } from './connection.ts'
import type { Dice } from './dice.ts'
import type { Scheduler } from './scheduler.ts'
import { clientName, type SimClient } from './sim-client.ts'
import { nodeId, type SimNode } from './sim-node.ts'

const CLOSED_MS = 3
const RECONNECT_MS = 40

/** The links between clients and nodes, in sealed frames. A closed connection is opened again, once the node is up. */
export class ClientNetwork {
  readonly #scheduler: Scheduler
  readonly #carrier: Carrier
  readonly #dice: Dice
  readonly #clients: readonly SimClient[]
  /** By client and node. */
  readonly #connections = new Map<number, Connection>()

  constructor(parts: {
    scheduler: Scheduler
    carrier: Carrier
    dice: Dice
    clients: readonly SimClient[]
  }) {
    this.#scheduler = parts.scheduler
    this.#carrier = parts.carrier
    this.#dice = parts.dice
    this.#clients = parts.clients
  }

  /** The clients' ends of links. */
  get names(): readonly string[] {
    return this.#clients.map(({ name }) => name)
  }

  /** A life began: clients connect to it. */
  started(node: SimNode): void {
    for (const client of this.#clients) this.#connectLater(client, node)
  }

  #connectLater(client: SimClient, node: SimNode): void {
    const { boot } = node
    this.#scheduler.after(this.#dice.between(0.1, RECONNECT_MS), {
      run: () => {
        if (node.isUp && node.boot === boot) this.#connect(client, node)
      },
    })
  }

  #connect(client: SimClient, node: SimNode): void {
    const key = keyOf(client, node)
    if (this.#connections.get(key)?.isOpen) return
    const end = client.name
    const connection: Connection = new Connection(
      client.index,
      node.boot,
      (frame) => {
        this.#carrier.send(
          node.id,
          end,
          sealFrame(frame),
          onlyOnce((bytes) => this.#toClient(client, node, connection, bytes)),
        )
        return true
      },
      () => this.#closed(client, node, connection),
    )
    this.#connections.set(key, connection)
    node.connections.add(connection)
    node.push({ kind: 'client', event: { kind: 'opened', connection } })
    const send = (frame: Uint8Array): boolean => {
      this.#carrier.send(
        end,
        node.id,
        sealFrame(frame),
        onlyOnce((bytes) => this.#toNode(node, connection, bytes)),
      )
      return true
    }
    client.core.opened(node.id, { send })
    client.turn()
  }

  #toClient(client: SimClient, node: SimNode, connection: Connection, bytes: Uint8Array): void {
    if (!connection.isOpen) return
    const frame = openFrame(bytes)
    if (frame === undefined) return this.#damaged(connection)
    client.core.frame(node.id, frame)
    client.turn()
  }

  #toNode(node: SimNode, connection: Connection, bytes: Uint8Array): void {
    if (!connection.isOpen || node.boot !== connection.boot) return
    const frame = openFrame(bytes)
    if (frame === undefined) return this.#damaged(connection)
    node.push({ kind: 'client', event: { kind: 'frame', connection, bytes: frame } })
  }

  /** A frame that cannot be read is lost, or the end of the connection. */
  #damaged(connection: Connection): void {
    if (this.#dice.chance(0.3)) connection.close()
  }

  #closed(client: SimClient, node: SimNode, connection: Connection): void {
    node.connections.delete(connection)
    if (node.isUp && node.boot === connection.boot) {
      node.push({ kind: 'client', event: { kind: 'closed', connection } })
    }
    this.#scheduler.after(this.#dice.between(0.2, CLOSED_MS), {
      run: () => {
        // Not where the client has connected again.
        if (this.#connections.get(keyOf(client, node)) !== connection) return
        this.#connections.delete(keyOf(client, node))
        client.core.closed(node.id)
        client.turn()
        if (node.isUp) this.#connectLater(client, node)
      },
    })
  }

  /** Who is connected with whom. */
  get connected(): readonly { readonly client: string; readonly node: string }[] {
    return [...this.#connections].flatMap(([key, { isOpen }]) => (isOpen ? [endsOf(key)] : []))
  }

  /** Closes a connection, for no reason that anyone would know of. False where there is none. */
  hangUp(client: string, node: string): boolean {
    for (const [key, connection] of this.#connections) {
      const ends = endsOf(key)
      if (ends.client !== client || ends.node !== node || !connection.isOpen) continue
      connection.close()
      return true
    }
    return false
  }
}

/** A connection may lose a frame, which is its end before long, but does not repeat one: see NodeLink. */
function onlyOnce(arrive: Arrival): Arrival {
  let hasArrived = false
  return (bytes) => {
    if (hasArrived) return
    hasArrived = true
    arrive(bytes)
  }
}

const endsOf = (key: number): { readonly client: string; readonly node: string } => ({
  client: clientName(Math.floor(key / 64)),
  node: nodeId(key % 64),
})

const keyOf = (client: SimClient, node: SimNode): number => client.index * 64 + node.index
