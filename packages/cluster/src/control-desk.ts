/**
 * Commands of operators to nodes, and the answers that come back as notices. A command whose node dies is answered
 * too: nobody waits for a dead node.
 */
import { type ControlCommand, type NodeId, RaftError, type WireError } from '@troupe/core'

/** A node as the desk needs it. */
export interface CommandTarget {
  readonly id: NodeId
  readonly api: { begin(id: number, command: ControlCommand): Promise<void> }
}

interface Pending extends PromiseWithResolvers<void> {
  readonly node: NodeId
}

export class ControlDesk {
  readonly #pending = new Map<number, Pending>()
  #lastId = 0

  /**
   * Gives a node a command and waits for its end.
   * @throws RaftError NOT_LEADER, REFUSED_CHANGE: nothing happened; INDETERMINATE; NODE_UNAVAILABLE where the node
   *   died; TIMEOUT
   */
  async command(node: CommandTarget, command: ControlCommand, timeoutMs: number): Promise<void> {
    const id = ++this.#lastId
    const pending: Pending = { ...Promise.withResolvers<void>(), node: node.id }
    this.#pending.set(id, pending)
    const timer = setTimeout(() => {
      const message = `${node.id} did not end ${command.kind} within ${timeoutMs} ms; it may still happen`
      pending.reject(new RaftError('TIMEOUT', message, { timeoutMs }))
    }, timeoutMs)
    // Rejected before it is awaited where the node dies while it is asked.
    pending.promise.catch(() => {})
    try {
      await node.api.begin(id, command)
      await pending.promise
    } finally {
      clearTimeout(timer)
      this.#pending.delete(id)
    }
  }

  /** A node has answered. */
  settled(id: number, error: WireError | null): void {
    const pending = this.#pending.get(id)
    if (error === null) pending?.resolve()
    else pending?.reject(RaftError.fromWire(error))
  }

  /** A node's worker is gone. */
  exited(node: NodeId): void {
    for (const pending of this.#pending.values()) {
      if (pending.node !== node) continue
      const reason = 'its worker ended before it answered'
      pending.reject(new RaftError('NODE_UNAVAILABLE', `node ${node}: ${reason}`, { node, reason }))
    }
  }
}
