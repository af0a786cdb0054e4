import { flipBits, LinkFaults, type LinkRule } from '@troupe/faults'
import type { Coverage } from './coverage.ts'
import type { Dice } from './dice.ts'
import type { Scheduler, Task } from './scheduler.ts'

/** How the network is when nothing is wrong with it. */
export interface NetworkSpeed {
  /** Shortest time of a frame, in ms. */
  readonly delayMs: number
  /** Mean of what chance adds to it, in ms. */
  readonly jitterMs: number
}

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

/** Carries frames between named ends, by what the faults have planned for them. */
export class Carrier {
  readonly #scheduler: Scheduler
  readonly #dice: Dice
  readonly #coverage: Coverage
  readonly #faults: LinkFaults<Packet>
  #lastRule = 0

  constructor(scheduler: Scheduler, dice: Dice, { delayMs, jitterMs }: NetworkSpeed, coverage: Coverage) {
    this.#scheduler = scheduler
    this.#dice = dice
    this.#coverage = coverage
    this.#faults = new LinkFaults<Packet>({
      frames: {
        bytesOf: ({ bytes }) => bytes.byteLength,
        corrupted: ({ bytes, arrive }, bits, random) => new Packet(flipBits(bytes, bits, random), arrive),
      },
      latency: { timeMs: delayMs, jitterMs, distribution: 'exponential' },
      onReleasable: () => this.#release(),
    })
  }

  /** Switches a fault on. What is returned switches it off again. */
  add(rule: LinkRule): () => void {
    const id = ++this.#lastRule
    this.#faults.add(id, rule)
    return () => this.#faults.remove(id)
  }

  send(from: string, to: string, bytes: Uint8Array, arrive: Arrival): void {
    this.#coverage.framesSent++
    const { metrics } = this.#faults
    const { lost, corrupted } = metrics
    const { nowMs } = this.#scheduler
    const deliveries = this.#faults.plan(from, to, new Packet(bytes, arrive), nowMs, this.#dice)
    for (const { atMs, frame } of deliveries) this.#scheduler.at(atMs, frame)
    this.#coverage.framesLost += metrics.lost - lost
    this.#coverage.framesCorrupted += metrics.corrupted - corrupted
  }

  #release(): void {
    for (const { atMs, frame } of this.#faults.released(this.#scheduler.nowMs)) {
      this.#scheduler.at(atMs, frame)
    }
  }
}
