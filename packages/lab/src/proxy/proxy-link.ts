/** One direction between two parties: what is on it, and the streams that go over it. */
import type { Random } from '@troupe/core'
import { happens } from '@troupe/faults'
import { bytesOf, type Piece, type ProxyTime, type Stage } from './stage.ts'
import { stageOf } from './stages.ts'
import type { ProxyEffect, ToxicOrder } from './toxic.ts'

/** Where a stream comes out. */
export interface StreamEnds {
  deliver(piece: Piece): void
  /** Ends the connection, both ways. */
  abort(how: 'close' | 'reset'): void
  /** Less waits than before. */
  relieved(): void
}

export class ProxyLink {
  readonly from: string
  readonly to: string
  /** Bytes that came out. */
  bytes = 0
  readonly #time: ProxyTime
  readonly #random: Random
  readonly #toxics = new Map<number, ToxicOrder>()
  readonly #cuts = new Set<number>()
  readonly #jams = new Set<number>()
  readonly #streams = new Set<ProxyStream>()

  constructor(from: string, to: string, time: ProxyTime, random: Random) {
    this.from = from
    this.to = to
    this.#time = time
    this.#random = random
  }

  get state(): 'open' | 'jammed' | 'cut' {
    if (this.#cuts.size > 0) return 'cut'
    return this.#jams.size > 0 ? 'jammed' : 'open'
  }

  /** Whether nothing is on it. */
  get isClean(): boolean {
    return this.state === 'open' && this.#toxics.size === 0
  }

  add(id: number, effect: ProxyEffect): void {
    if (effect === 'cut') this.#cuts.add(id)
    else if (effect === 'jam') this.#jams.add(id)
    else {
      this.#toxics.set(id, effect)
      for (const stream of this.#streams) stream.add(id, effect)
    }
  }

  remove(id: number): void {
    this.#cuts.delete(id)
    this.#jams.delete(id)
    if (this.#toxics.delete(id)) for (const stream of this.#streams) stream.remove(id)
    if (this.state === 'open') for (const stream of this.#streams) stream.release()
  }

  /** A stream that goes over it from now on, until it is closed. */
  open(ends: StreamEnds): ProxyStream {
    const stream = new ProxyStream(this, ends, this.#time, this.#random)
    this.#streams.add(stream)
    for (const [id, order] of this.#toxics) stream.add(id, order)
    return stream
  }

  forget(stream: ProxyStream): void {
    this.#streams.delete(stream)
  }
}

interface Placed {
  readonly id: number
  readonly stage: Stage
}

/** Pieces ─► the stages of its toxics, in the order of their ids ─► the gate: open, or held ─► out. */
export class ProxyStream {
  readonly #link: ProxyLink
  readonly #ends: StreamEnds
  readonly #time: ProxyTime
  readonly #random: Random
  readonly #stages: Placed[] = []
  readonly #held: Piece[] = []
  #heldBytes = 0
  /** Something came while the link was cut: what follows would not fit any more. */
  #hasGap = false
  #isClosed = false

  constructor(link: ProxyLink, ends: StreamEnds, time: ProxyTime, random: Random) {
    this.#link = link
    this.#ends = ends
    this.#time = time
    this.#random = random
  }

  get heldBytes(): number {
    return this.#stages.reduce((sum, { stage }) => sum + stage.heldBytes, this.#heldBytes)
  }

  take(piece: Piece): void {
    if (!this.#isClosed) this.#passFrom(0, piece)
  }

  add(id: number, { toxic, toxicity = 100 }: ToxicOrder): void {
    if (!happens(toxicity, this.#random)) return
    const placed: Placed = {
      id,
      stage: stageOf(toxic, {
        time: this.#time,
        random: this.#random,
        pass: (piece) => this.#passFrom(this.#stages.indexOf(placed) + 1, piece),
        abort: (how) => this.#ends.abort(how),
      }),
    }
    this.#stages.push(placed)
  }

  remove(id: number): void {
    const at = this.#stages.findIndex((placed) => placed.id === id)
    const [{ stage } = {}] = at === -1 ? [] : [this.#stages[at] as Placed]
    // What it holds goes on to those behind it: it is still in its place.
    stage?.leave()
    if (at !== -1 && !this.#isClosed) this.#stages.splice(at, 1)
    this.#ends.relieved()
  }

  /** The link is open again. */
  release(): void {
    if (this.#hasGap) return this.#ends.abort('reset')
    for (const piece of this.#held.splice(0)) this.#out(piece)
    this.#heldBytes = 0
    this.#ends.relieved()
  }

  close(): void {
    this.#isClosed = true
    for (const { stage } of this.#stages.splice(0)) stage.close()
    this.#held.length = 0
    this.#heldBytes = 0
    this.#link.forget(this)
  }

  #passFrom(at: number, piece: Piece): void {
    if (this.#isClosed) return
    const next = this.#stages[at]
    if (next !== undefined) return next.stage.take(piece)
    const { state } = this.#link
    if (state === 'open') {
      this.#out(piece)
      this.#ends.relieved()
      return
    }
    // The ends of a process that has died cannot be heard either; they are no gap.
    if (state === 'cut' && typeof piece !== 'string') this.#hasGap = true
    this.#held.push(piece)
    this.#heldBytes += bytesOf(piece)
  }

  #out(piece: Piece): void {
    this.#link.bytes += bytesOf(piece)
    this.#ends.deliver(piece)
  }
}
