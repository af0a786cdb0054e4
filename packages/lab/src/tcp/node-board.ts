/**
 * Faults that only a node can do to itself, its disk and its clock: switched on and off at the fault desk of its process, over
 * the channel of its parent. What lasts is on again at a node that comes back.
 */
import { KeptFaults, MAX_FAULT_MS } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import type { NodeDecorators } from '@troupe/faults'
import type { ProcessNodes } from './process-nodes.ts'
import type { NodeFaultRequest, NodeEffectPart as Part } from './protocol.ts'

export class NodeBoard {
  readonly #nodes: () => ProcessNodes
  readonly #begin: (work: Promise<void>) => void
  /** By node, by the number of the fault. */
  readonly #open = new Map<string, Map<number, Part>>()
  /** By node, what is over: whoever was down then, or died of it, has it in its directory still. */
  readonly #over = new Map<string, string[]>()
  /** Of what is not a fault of the plane. */
  #lastOwn = 0

  /** @param begin is handed what is to be waited for */
  constructor(nodes: () => ProcessNodes, begin: (work: Promise<void>) => void) {
    this.#nodes = nodes
    this.#begin = begin
  }

  decoratorsOf(node: string): NodeDecorators {
    const open = new Map<number, Part>()
    this.#open.set(node, open)
    const board = (at: Part['at']) => ({
      add: (id: number, given: object) => {
        const part: Part = { at, effect: effectOf(given) }
        if (part.effect['mode'] !== 'bump') open.set(id, part)
        this.#begin(this.#inject(node, idOf(id), part))
      },
      remove: (id: number) => {
        if (!open.delete(id)) return
        this.#over.set(node, [...(this.#over.get(node) ?? []), idOf(id)])
        this.#begin(this.#destroy(node, idOf(id)))
      },
    })
    return {
      store: board('store'),
      clock: { ...board('clock'), settle: () => this.#begin(this.#settle(node)) },
      failpoints: board('failpoints'),
      heap: board('heap'),
    }
  }

  /** A node that is down is about to be started. */
  starting(node: string): void {
    const over = this.#over.get(node)
    if (over === undefined) return
    this.#over.delete(node)
    new KeptFaults(this.#nodes().directoryOf(node)).drop(over)
  }

  /** A node is back: what its directory has kept is on already. */
  async started(node: string): Promise<void> {
    const open = [...(this.#open.get(node) ?? [])]
    await Promise.all(open.map(([id, part]) => this.#inject(node, idOf(id), part).catch(unlessKept)))
  }

  /** Its thread is busy with something else for so long. Over by itself. */
  async stall(node: string, forMs: number): Promise<void> {
    const text = `stall for ${forMs} ms`
    const request = { id: `f-stall-${++this.#lastOwn}`, text, nodes: [node], forMs }
    await this.#tell(node, { ...request, parts: [{ at: 'node', action: 'stall' }] })
  }

  async #inject(node: string, id: string, part: Part): Promise<void> {
    const request = {
      id,
      text: `${part.at} ${Object.values(part.effect).join(' ')}`,
      nodes: [node],
      forMs: MAX_FAULT_MS,
    }
    await this.#tell(node, { ...request, parts: [part] })
  }

  async #tell(node: string, request: NodeFaultRequest): Promise<void> {
    const nodes = this.#nodes()
    if (nodes.isUp(node)) await nodes.child(node).call('injectFault', request)
  }

  async #destroy(node: string, id: string): Promise<void> {
    const nodes = this.#nodes()
    // For whoever is down it is over with the next start.
    if (!nodes.isUp(node) || nodes.isPaused(node)) return
    await nodes.child(node).call('destroyFault', { id }).catch(unlessGone)
  }

  /** A clock that stands still after a jump back goes on with the end of any fault of it. */
  async #settle(node: string): Promise<void> {
    const id = `f-settle-${++this.#lastOwn}`
    await this.#inject(node, id, { at: 'clock', effect: { mode: 'rate', rate: 1 } }).catch(unlessGone)
    await this.#destroy(node, id)
  }
}

const idOf = (id: number): string => `f-lab-${id}`

function unlessGone(error: unknown): void {
  if (!RaftError.is(error, 'NODE_UNAVAILABLE')) throw error
}

/** Refusals of a node come as this too. */
const unlessKept = unlessGone

/** Without what says whom it is for. */
function effectOf(given: object): Readonly<Record<string, unknown>> {
  const { kind: _, nodes: __, ...effect } = given as Record<string, unknown>
  return effect
}
