import type { Random } from '@troupe/core'
import { Dice } from './dice.ts'

/** How long a place has the same chances, in virtual ms. */
const MOMENT_MS = 1

/**
 * Chance as a field over virtual time: what a place draws at one moment does not depend on what was drawn anywhere before.
 * So a run from which something is left out stays, before and mostly after that, what it was: what a failing run is made
 * smaller by (shrink.ts). Within one moment draws follow each other as usual.
 */
export class Noise implements Random {
  readonly #time: { readonly nowMs: number }
  readonly #key: number
  #moment = -1
  #state = 0

  constructor(time: { readonly nowMs: number }, key: number) {
    this.#time = time
    this.#key = key
  }

  next(): number {
    const moment = Math.floor(this.#time.nowMs / MOMENT_MS)
    if (moment !== this.#moment) {
      this.#moment = moment
      this.#state = scramble(this.#key ^ scramble(moment))
    }
    this.#state = (this.#state + 0x6d2b79f5) | 0
    return scramble(this.#state) / 0x100000000
  }
}

/** What has noise of its own. Nodes and clients add their number. */
export const places = {
  peers: 1,
  clients: 2,
  operator: 3,
  client: 32,
  node: 64,
  disk: 128,
  core: 256,
  failpoint: 512,
} as const

/** The dice of a place: one of {@link places}, or the hash of a name. */
export function noiseAt(time: { readonly nowMs: number }, seed: number, place: number): Dice {
  return new Dice(
    new Noise(time, scramble(scramble(seed) ^ scramble(Math.floor(seed / 2 ** 32) + place * 31))),
  )
}

/** The place of a link. */
export function linkPlace(from: string, to: string): number {
  let hash = 0x811c9dc5
  for (const text of [from, '>', to]) {
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  return hash >>> 0
}

/** 32 bits to 32 bits, each depending on all. */
function scramble(word: number): number {
  let bits = word | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
