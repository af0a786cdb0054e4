import { flipBits, LinkFaults, type LinkRule } from '@troupe/faults'
import type { Coverage } from './coverage.ts'
import type { Dice } from './dice.ts'
import { linkPlace, noiseAt } from './noise.ts'
import type { NetworkSpeed } from './plan.ts'
import type { Scheduler, Task } from './scheduler.ts'
import { type FrameDeed, linkName } from './step.ts'

/** Takes the bytes of a frame that arrived. They may have been changed on the way. */
export type Arrival = (bytes: Uint8Array) => void

/** A frame on its way; run when it arrives. */
class Packet implements Task {
  readonly bytes: Uint8Array
  readonly arrive: Arrival

  constructor(bytes: Uint8Array, arrive: Arrival) {
    this.bytes = bytes
    this.arrive = arrive
  }

  run(): void {
    this.arrive(this.bytes)
  }
}

/** One direction between two ends. */
interface Link {
  readonly name: string
  readonly dice: Dice
  /** Frames sent so far. */
  sent: number
  /** What is to happen to frames, by their number. */
  readonly deeds: ReadonlyMap<number, FrameDeed> | undefined
}

export interface CarrierOptions {
  readonly scheduler: Scheduler
  readonly seed: number
  readonly speed: NetworkSpeed
  readonly coverage: Coverage
  /** What is to happen to single frames. */
  readonly frames: readonly FrameDeed[]
  /** Told of what chance did to single frames. */
  readonly onFrame?: ((deed: FrameDeed) => void) | undefined
}

/** A frame is late when it took so many times its shortest time, and so many ms, more. */
const LATE_TIMES = 2
const LATE_MS = 0.5

/** Carries frames between named ends, by what the faults have planned for them. */
export class Carrier {
  readonly #options: CarrierOptions
  readonly #faults: LinkFaults<Packet>
  readonly #links = new Map<string, Map<string, Link>>()
  readonly #deeds = new Map<string, Map<number, FrameDeed>>()
  #isHealed = false
  #lastRule = 0

  constructor(options: CarrierOptions) {
    this.#options = options
    const { delayMs, jitterMs } = options.speed
    this.#faults = new LinkFaults<Packet>({
      frames: {
        bytesOf: ({ bytes }) => bytes.byteLength,
        corrupted: ({ bytes, arrive }, bits, random) => new Packet(flipBits(bytes, bits, random), arrive),
      },
      latency: { timeMs: delayMs, jitterMs, distribution: 'exponential' },
      onReleasable: () => this.#release(),
    })
    for (const deed of options.frames) {
      const ofLink = this.#deeds.get(deed.link) ?? new Map<number, FrameDeed>()
      this.#deeds.set(deed.link, ofLink.set(deed.frame, deed))
    }
  }

  /** Switches a fault on. What is returned switches it off again. */
  add(rule: LinkRule): () => void {
    const id = ++this.#lastRule
    this.#faults.add(id, rule)
    return () => this.#faults.remove(id)
  }

  /** From here on nothing happens to single frames. */
  heal(): void {
    this.#isHealed = true
  }

  send(from: string, to: string, bytes: Uint8Array, arrive: Arrival): void {
    const { coverage, scheduler, onFrame } = this.#options
    const link = this.#link(from, to)
    const number = ++link.sent
    coverage.framesSent++
    const { metrics } = this.#faults
    const { lost, corrupted } = metrics
    const { nowMs } = scheduler
    const packet = new Packet(bytes, arrive)
    const deliveries = this.#faults.plan(from, to, packet, nowMs, link.dice)
    coverage.framesLost += metrics.lost - lost
    coverage.framesCorrupted += metrics.corrupted - corrupted
    if (this.#isHealed) {
      for (const { atMs, frame } of deliveries) scheduler.at(atMs, frame)
      return
    }
    const deed = link.deeds?.get(number)
    for (const { atMs, frame } of deliveries) this.#schedule(atMs, frame, deed, link.dice)
    if (onFrame === undefined || this.#faults.isCut(from, to)) return
    const place = { link: link.name, frame: number }
    const [first] = deliveries
    if (metrics.lost > lost) onFrame({ do: 'lose', ...place })
    else if (metrics.corrupted > corrupted) onFrame({ do: 'spoil', ...place })
    else if (deliveries.length > 1) onFrame({ do: 'repeat', ...place })
    else if (first !== undefined) this.#noteLate(first.atMs - nowMs, place, onFrame)
  }

  #noteLate(
    tookMs: number,
    place: { readonly link: string; readonly frame: number },
    onFrame: (deed: FrameDeed) => void,
  ): void {
    const { delayMs } = this.#options.speed
    const byMs = Math.round((tookMs - delayMs) * 1000) / 1000
    if (byMs > LATE_MS && byMs > LATE_TIMES * delayMs) onFrame({ do: 'delay', ...place, byMs })
  }

  /** Lets a frame arrive, or what its deed makes of it. */
  #schedule(atMs: number, frame: Packet, deed: FrameDeed | undefined, dice: Dice): void {
    const { scheduler, coverage } = this.#options
    switch (deed?.do) {
      case undefined:
        scheduler.at(atMs, frame)
        return
      case 'lose':
        coverage.framesLost++
        return
      case 'repeat':
        scheduler.at(atMs, frame)
        scheduler.at(atMs, frame)
        return
      case 'spoil':
        coverage.framesCorrupted++
        scheduler.at(atMs, new Packet(flipBits(frame.bytes, 1, dice), frame.arrive))
        return
      case 'delay':
        scheduler.at(atMs + deed.byMs, frame)
    }
  }

  #link(from: string, to: string): Link {
    let links = this.#links.get(from)
    if (links === undefined) {
      links = new Map()
      this.#links.set(from, links)
    }
    let link = links.get(to)
    if (link === undefined) {
      const { scheduler, seed } = this.#options
      const name = linkName(from, to)
      const dice = noiseAt(scheduler, seed, linkPlace(from, to))
      link = { name, dice, sent: 0, deeds: this.#deeds.get(name) }
      links.set(to, link)
    }
    return link
  }

  #release(): void {
    const { scheduler } = this.#options
    for (const { atMs, frame } of this.#faults.released(scheduler.nowMs)) scheduler.at(atMs, frame)
  }
}
