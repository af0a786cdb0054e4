import type { NodeId } from '../types.ts'
import type { NodeStart } from './link-states.ts'
import { Overlay } from './overlay.ts'
import { type OverlayPlan, plannedLinks } from './topology.ts'

/** A frame between two neighbours. */
interface Flight {
  readonly from: NodeId
  readonly to: NodeId
  readonly frame: Uint8Array
}

/** What a node was told by its overlay. */
export interface Heard {
  readonly up: NodeId[]
  readonly gone: NodeId[]
  readonly frames: { readonly source: NodeId; readonly text: string }[]
}

/** Overlays over links that lose nothing and keep the order, unless a test says otherwise. */
export class OverlayNetwork {
  readonly plan: OverlayPlan
  readonly overlays = new Map<NodeId, Overlay>()
  readonly heard = new Map<NodeId, Heard>()
  /** Decides which frames are lost. */
  loses: (flight: Flight) => boolean = () => false
  crossings = 0
  readonly #boots = new Map<NodeId, number>()
  readonly #flights: Flight[] = []
  readonly #open = new Set<string>()

  constructor(plan: OverlayPlan) {
    this.plan = plan
    for (const id of plan.nodes) this.boot(id, 1)
    for (const [a, b] of plannedLinks(plan)) this.open(a, b)
    this.settle()
  }

  #startOf(id: NodeId): NodeStart {
    return { incarnation: 7, boot: this.#boots.get(id) ?? 0 }
  }

  /** A start of a node, without any connection yet. */
  boot(id: NodeId, boot: number): void {
    this.#boots.set(id, boot)
    const heard: Heard = { up: [], gone: [], frames: [] }
    this.heard.set(id, heard)
    this.overlays.set(
      id,
      new Overlay({ id, ...this.#startOf(id) }, this.plan, {
        send: (to, frame) => this.#open.has(link(id, to)) && this.#flights.push({ from: id, to, frame }) > 0,
        up: (peer) => heard.up.push(peer),
        gone: (peer) => heard.gone.push(peer),
      }),
    )
  }

  of(id: NodeId): Overlay {
    return this.overlays.get(id) as Overlay
  }

  news(id: NodeId): Heard {
    return this.heard.get(id) as Heard
  }

  open(a: NodeId, b: NodeId): void {
    this.#open.add(link(a, b)).add(link(b, a))
    this.of(a).linkUp(b, this.#startOf(b))
    this.of(b).linkUp(a, this.#startOf(a))
  }

  close(a: NodeId, b: NodeId): void {
    this.#open.delete(link(a, b))
    this.#open.delete(link(b, a))
    this.overlays.get(a)?.linkGone(b)
    this.overlays.get(b)?.linkGone(a)
  }

  /** A node is gone; its neighbours see their connections close. */
  kill(id: NodeId): void {
    this.overlays.delete(id)
    for (const neighbour of this.plan.neighbours.get(id) ?? []) this.close(id, neighbour)
  }

  send(from: NodeId, to: NodeId, text: string): boolean {
    const overlay = this.of(from)
    const headroom = overlay.headroomBytes(to)
    const frame = new Uint8Array(headroom + text.length)
    for (let at = 0; at < text.length; at++) frame[headroom + at] = text.charCodeAt(at)
    return overlay.send(to, frame)
  }

  /** Lets everything arrive that is on its way. */
  settle(): void {
    for (let flight = this.#flights.shift(); flight !== undefined; flight = this.#flights.shift()) {
      this.crossings++
      const { from, to, frame } = flight
      if (this.loses(flight)) continue
      const received = this.overlays.get(to)?.received(from, frame)
      if (typeof received === 'string') throw new Error(received)
      if (received === undefined) continue
      this.news(to).frames.push({ source: received.source, text: String.fromCharCode(...received.inner) })
    }
  }
}

/** Frames are told from states by their first byte. */
export const isState = ({ frame }: Flight): boolean => frame[0] === 1

const link = (from: NodeId, to: NodeId): string => `${from}>${to}`
