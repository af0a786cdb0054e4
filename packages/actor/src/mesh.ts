/**
 * Wires actors to each other by direct MessageChannels, and then stays out: no message between two workers
 * passes through the main thread. When an actor comes back (`started`), its owner connects it again.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { unavailable } from './obituary.ts'

/** Somebody to whom a port can be handed: an `ActorHandle`. */
export interface PortReceiver {
  readonly id: string
  /** False when it has no worker: the port stays the caller's. */
  postPort(from: string, meta: unknown, port: MessagePort): boolean
}

/**
 * Connects two actors: each gets its end as a `PortMessage` with the other's id and `meta` (cloned). An actor
 * that is starting gets it when it has started. False when one of them has no worker: the other then gets no
 * end, or one that closes at once.
 */
export function connect(a: PortReceiver, b: PortReceiver, meta?: unknown): boolean {
  const { port1, port2 } = new MessageChannel()
  // Only fresh ports are handed over: transferring a closed one aborts the process (nodejs/node#56362).
  if (a.postPort(b.id, meta, port1) && b.postPort(a.id, meta, port2)) return true
  port2.close()
  return false
}

/**
 * Connects an outsider, as a client, to an actor, and returns the outsider's end.
 * @param from what the actor is told of who is at the other end
 * @throws RaftError NODE_UNAVAILABLE when the actor has no worker
 */
export function attach(actor: PortReceiver, from: string, meta?: unknown): MessagePort {
  const { port1, port2 } = new MessageChannel()
  if (actor.postPort(from, meta, port1)) return port2
  port2.close()
  throw unavailable(actor.id, 'it is not running')
}
