/** The stage of each toxic. */
import type { Random } from '@troupe/core'
import {
  Correlated,
  drawLatencyMs,
  flipBits,
  GilbertElliottState,
  happens,
  LossStateChain,
  Turns,
} from '@troupe/faults'
import { bytesOf, DelayStage, type Piece, type Plan, type Stage, type StagePlace } from './stage.ts'
import type { Toxic } from './toxic.ts'

type Of<Type extends Toxic['type']> = Extract<Toxic, { readonly type: Type }>

/** Linux's shortest time until what is not acknowledged is sent again, and the longest. */
const RETRANSMIT_MS = 200
const LONGEST_RETRANSMIT_MS = 120_000
/** Bandwidth is handed out in pieces of that time, so that a large one does not arrive all at its end. */
const SLOT_MS = 20

export function stageOf(toxic: Toxic, place: StagePlace): Stage {
  const { random } = place
  switch (toxic.type) {
    case 'latency':
      return new DelayStage(place, latency(toxic, random))
    case 'bandwidth':
      return new DelayStage(place, bandwidth(toxic))
    case 'slow_close':
      return new DelayStage(place, (piece, nowMs) => [
        [piece, typeof piece === 'string' ? nowMs + toxic.delayMs : nowMs],
      ])
    case 'slicer':
      return new DelayStage(place, slicer(toxic, random))
    case 'packet_loss':
      return new DelayStage(place, packetLoss(toxic, random))
    case 'corrupt':
      return new DelayStage(place, corrupt(toxic, random))
    case 'slot':
      return new DelayStage(place, byTurns(toxic, random))
    case 'limit_data':
      return new LimitStage(place, toxic.bytes)
    case 'timeout':
      return new TimeoutStage(place, toxic.timeoutMs)
    case 'reset_peer':
      return new ResetStage(place, toxic.timeoutMs)
  }
}

function latency(toxic: Of<'latency'>, random: Random): Plan {
  const last = new Correlated<number>()
  return (piece, nowMs) => {
    const delayMs = last.draw(toxic.correlation ?? 0, random, () => drawLatencyMs(toxic, random))
    return [[piece, nowMs + delayMs]]
  }
}

function bandwidth({ bytesPerSecond }: Of<'bandwidth'>): Plan {
  const slotBytes = Math.max(1, Math.floor((bytesPerSecond * SLOT_MS) / 1000))
  let freeAtMs = Number.NEGATIVE_INFINITY
  return function* (piece, nowMs) {
    freeAtMs = Math.max(freeAtMs, nowMs)
    for (const part of cut(piece, () => slotBytes)) {
      freeAtMs += (bytesOf(part) / bytesPerSecond) * 1000
      yield [part, freeAtMs]
    }
  }
}

function slicer({ averageBytes, variationBytes, delayMs }: Of<'slicer'>, random: Random): Plan {
  const size = (): number =>
    Math.max(1, Math.round(averageBytes + (2 * random.next() - 1) * Math.min(variationBytes, averageBytes)))
  let freeAtMs = Number.NEGATIVE_INFINITY
  return function* (piece, nowMs) {
    freeAtMs = Math.max(freeAtMs, nowMs)
    for (const part of cut(piece, size)) {
      yield [part, freeAtMs]
      freeAtMs += delayMs
    }
  }
}

function packetLoss(toxic: Of<'packet_loss'>, random: Random): Plan {
  const state = new GilbertElliottState()
  const chain = new LossStateChain()
  const last = new Correlated<boolean>()
  const isLost = (): boolean => {
    if ('gilbertElliott' in toxic) return state.next(toxic.gilbertElliott, random)
    if ('states' in toxic) return chain.next(toxic.states, random)
    const { percent, correlation = 0 } = toxic
    return last.draw(correlation, random, () => happens(percent, random))
  }
  return (piece, nowMs) => {
    let atMs = nowMs
    for (let waitMs = RETRANSMIT_MS; waitMs <= LONGEST_RETRANSMIT_MS && isLost(); waitMs *= 2) atMs += waitMs
    return [[piece, atMs]]
  }
}

function corrupt({ percent, correlation = 0 }: Of<'corrupt'>, random: Random): Plan {
  const last = new Correlated<boolean>()
  return (piece, nowMs) => {
    if (typeof piece === 'string') return [[piece, nowMs]]
    const isHit = last.draw(correlation, random, () => happens(percent, random))
    return [[isHit ? Buffer.from(flipBits(piece, 1, random)) : piece, nowMs]]
  }
}

function byTurns(toxic: Of<'slot'>, random: Random): Plan {
  const turns = new Turns()
  return (piece, nowMs) => [[piece, turns.next(toxic, bytesOf(piece), nowMs, random)]]
}

function* cut(piece: Piece, size: () => number): Iterable<Piece> {
  if (typeof piece === 'string') return yield piece
  for (let from = 0; from < piece.byteLength; ) {
    const to = Math.min(piece.byteLength, from + size())
    yield piece.subarray(from, to)
    from = to
  }
}

/** Lets so much through, then closes. */
class LimitStage implements Stage {
  readonly heldBytes = 0
  readonly #place: StagePlace
  #leftBytes: number

  constructor(place: StagePlace, bytes: number) {
    this.#place = place
    this.#leftBytes = bytes
  }

  take(piece: Piece): void {
    if (typeof piece === 'string') return this.#place.pass(piece)
    const part = piece.subarray(0, this.#leftBytes)
    this.#leftBytes -= part.byteLength
    if (part.byteLength > 0) this.#place.pass(part)
    if (this.#leftBytes === 0) this.#place.abort('close')
  }

  leave(): void {}
  close(): void {}
}

/** Swallows everything, and closes in the end. */
class TimeoutStage implements Stage {
  readonly heldBytes = 0
  readonly #place: StagePlace
  readonly #cancel: () => void
  #hasLost = false

  constructor(place: StagePlace, timeoutMs: number) {
    this.#place = place
    this.#cancel = timeoutMs === 0 ? () => {} : place.time.after(timeoutMs, () => place.abort('close'))
  }

  take(): void {
    this.#hasLost = true
  }

  leave(): void {
    this.#cancel()
    // Behind a gap nothing would make sense.
    if (this.#hasLost) this.#place.abort('close')
  }

  close(): void {
    this.#cancel()
  }
}

class ResetStage implements Stage {
  readonly heldBytes = 0
  readonly #place: StagePlace
  readonly #cancel: () => void

  constructor(place: StagePlace, timeoutMs: number) {
    this.#place = place
    this.#cancel = place.time.after(timeoutMs, () => place.abort('reset'))
  }

  take(piece: Piece): void {
    this.#place.pass(piece)
  }

  leave(): void {
    this.#cancel()
  }

  close(): void {
    this.#cancel()
  }
}
