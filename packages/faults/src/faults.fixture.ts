/** What tests of faults share: time by hand, every kind of fault. */
import type { Clock, Random } from '@troupe/core'
import fc from 'fast-check'
import type { Scheduler } from './ports.ts'
import {
  DIRECTIONS,
  DISTRIBUTIONS,
  FAILPOINTS,
  type Fault,
  type LinkEffect,
  type LinkFault,
  MEMBER_CHANGES,
  NODE_ACTIONS,
  NODE_SETS,
  SPLITS,
  TOPOLOGIES,
} from './vocabulary.ts'

interface Task {
  readonly atMs: number
  readonly task: () => void
}

/** A clock and a scheduler that move only when told to. */
export class HandTime implements Clock, Scheduler {
  #nowMs = 0
  readonly #tasks: { readonly atMs: number; readonly task: () => void }[] = []

  nowMs(): number {
    return this.#nowMs
  }

  schedule(atMs: number, task: () => void): void {
    this.#tasks.push({ atMs, task })
  }

  get waiting(): number {
    return this.#tasks.length
  }

  /** Runs what is due until then, in order. */
  advanceTo(untilMs: number): void {
    for (;;) {
      let next: Task | undefined
      for (const task of this.#tasks) if (next === undefined || task.atMs < next.atMs) next = task
      if (next === undefined || next.atMs > untilMs) break
      this.#tasks.splice(this.#tasks.indexOf(next), 1)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.task()
    }
    this.#nowMs = untilMs
  }
}

/** Gives these numbers, then the last of them for ever. */
export function numbers(...values: number[]): Random {
  let next = 0
  return { next: () => values[Math.min(next++, values.length - 1)] ?? 0 }
}

const percent = fc.double({ min: 0, max: 100, noNaN: true })
const half = fc.double({ min: 0, max: 50, noNaN: true })
const duration = fc.double({ min: 0, max: 1e6, noNaN: true })
const positive = fc.double({ min: 1e-3, max: 1e6, noNaN: true })
const signed = fc.double({ min: -1e6, max: 1e6, noNaN: true })
const names = fc.uniqueArray(fc.constantFrom('n1', 'n2', 'n3', 'n4', 'n5'), { minLength: 1 })
const nodes = fc.oneof(fc.constantFrom(...NODE_SETS), names)
const direction = fc.constantFrom(...DIRECTIONS)
const links = fc.record({ from: nodes, to: nodes, direction }, { requiredKeys: ['from', 'to'] })

/** A fault of this kind; fields with a question mark may be absent. */
function of(
  constants: Record<string, string>,
  fields: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Fault> {
  const arbitraries = Object.entries(fields).map(([key, value]) => [key.replace('?', ''), value])
  const requiredKeys = Object.keys(fields).filter((key) => !key.endsWith('?'))
  return fc
    .record(Object.fromEntries(arbitraries) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys })
    .map((values) => ({ ...constants, ...values }) as unknown as Fault)
}

const chance = { percent, 'correlation?': percent, 'links?': links }

const linkFault: fc.Arbitrary<Fault> = fc.oneof(
  of({ kind: 'link', mode: 'drop' }, { 'links?': links }),
  of({ kind: 'link', mode: 'jam' }, { 'links?': links }),
  of({ kind: 'link', mode: 'slow' }, { timeMs: duration, 'links?': links }),
  of(
    { kind: 'delay' },
    {
      timeMs: duration,
      'jitterMs?': duration,
      'distribution?': fc.constantFrom(...DISTRIBUTIONS),
      'correlation?': percent,
      'links?': links,
    },
  ),
  of({ kind: 'loss' }, chance),
  of(
    { kind: 'loss' },
    {
      gilbertElliott: fc.record(
        { toBad: percent, toGood: percent, lossInBad: percent, lossInGood: percent },
        { requiredKeys: ['toBad', 'toGood'] },
      ),
      'links?': links,
    },
  ),
  of({ kind: 'duplicate' }, chance),
  of(
    { kind: 'loss' },
    {
      states: fc.record(
        { p13: half, p31: half, p32: half, p23: percent, p14: half },
        { requiredKeys: ['p13'] },
      ),
      'links?': links,
    },
  ),
  of({ kind: 'reorder' }, { 'gap?': fc.integer({ min: 1, max: 9 }), ...chance }),
  of({ kind: 'corrupt' }, { 'bits?': fc.integer({ min: 1, max: 9 }), ...chance }),
  of({ kind: 'rate' }, { bytesPerSecond: positive, 'limitBytes?': positive, 'links?': links }),
  of(
    { kind: 'slot' },
    {
      timeMs: fc.double({ min: 0, max: 1000, noNaN: true }),
      'mostMs?': fc.double({ min: 1000, max: 2000, noNaN: true }),
      'frames?': fc.integer({ min: 1, max: 9 }),
      'bytes?': fc.integer({ min: 1, max: 99 }),
      'links?': links,
    },
  ),
  of({ kind: 'limit' }, { frames: fc.integer({ min: 1, max: 99 }), 'links?': links }),
)

export const linkEffect: fc.Arbitrary<LinkEffect> = linkFault.map((one) => {
  const { links: _, ...effect } = one as LinkFault
  return effect as LinkEffect
})

const partitionFault: fc.Arbitrary<Fault> = fc.oneof(
  of({ kind: 'partition' }, { split: fc.constantFrom(...SPLITS), 'direction?': direction }),
  of({ kind: 'partition' }, { topology: fc.constantFrom(...TOPOLOGIES) }),
  of({ kind: 'partition' }, { groups: names.map((list) => [list]), 'direction?': direction }),
)

export const storeFault: fc.Arbitrary<Fault> = fc.oneof(
  of(
    { kind: 'storage', mode: 'slow' },
    { nodes, timeMs: duration, 'jitterMs?': duration, 'percent?': percent },
  ),
  of({ kind: 'storage', mode: 'stall' }, { nodes }),
  of({ kind: 'storage', mode: 'full' }, { nodes }),
)

export const clockFault: fc.Arbitrary<Fault> = fc.oneof(
  of({ kind: 'clock', mode: 'bump' }, { nodes, byMs: signed }),
  of({ kind: 'clock', mode: 'rate' }, { nodes, rate: positive }),
  of({ kind: 'clock', mode: 'step' }, { nodes, byMs: signed, everyMs: positive }),
  of({ kind: 'clock', mode: 'strobe' }, { nodes, byMs: signed, everyMs: positive }),
)

const operationFault: fc.Arbitrary<Fault> = fc.oneof(
  ...NODE_ACTIONS.map((kind) => of({ kind }, { nodes })),
  of({ kind: 'crash' }, { nodes, 'silent?': fc.boolean() }),
  of({ kind: 'stall' }, { nodes, forMs: duration }),
  of({ kind: 'storage', mode: 'fail' }, { nodes }),
  of({ kind: 'storage', mode: 'bit-flip' }, { nodes, 'count?': fc.integer({ min: 1, max: 99 }) }),
  of({ kind: 'storage', mode: 'torn' }, { nodes }),
  of({ kind: 'storage', mode: 'lose-unflushed' }, { nodes }),
  of({ kind: 'membership' }, { change: fc.constantFrom(...MEMBER_CHANGES), nodes }),
  of({ kind: 'transfer' }, { 'nodes?': nodes }),
)

const innerFault: fc.Arbitrary<Fault> = fc.oneof(
  of({ kind: 'failpoint', term: '2*off->1*panic' }, { nodes, name: fc.constantFrom(...FAILPOINTS) }),
  of({ kind: 'heap' }, { nodes, percent }),
)

export const fault = fc.oneof(linkFault, partitionFault, storeFault, clockFault, operationFault, innerFault)
