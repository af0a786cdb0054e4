import type { Random } from './ports.ts'

/**
 * A small seeded generator (sfc32): the same seed gives the same numbers on every engine.
 * Good enough to spread timeouts; not for secrets.
 */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9 ^ (seed >>> 0)
  let b = 0x243f6a88 ^ (Math.floor(seed / 0x100000000) >>> 0)
  let c = 0xb7e15162
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 0x100000000
  }
  for (let round = 0; round < 12; round++) next()
  return { next }
}
