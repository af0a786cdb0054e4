import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InvariantError, seededRandom } from '@troupe/core'
import fc from 'fast-check'
import { runs } from '../test/support.ts'
import { KvTable } from './kv-table.ts'
import { viewed } from './viewed-bytes.ts'

interface Cell {
  readonly value: string
  readonly version: number
}

/** A table beside a Map that is told the same. */
class Pair {
  readonly table = new KvTable()
  readonly model = new Map<string, Cell>()

  set(key: string, value: string): void {
    const keyBytes = Buffer.from(key)
    const source = Buffer.concat([
      Buffer.from('..'),
      keyBytes,
      Buffer.from('.'),
      Buffer.from(value),
      Buffer.from('.'),
    ])
    const keyEnd = 2 + keyBytes.length
    this.table.set(viewed(source), 2, keyEnd, keyEnd + 1, source.length - 1)
    this.model.set(key, { value, version: (this.model.get(key)?.version ?? 0) + 1 })
    source.fill(0xee)
  }

  delete(key: string): void {
    const source = Buffer.from(`.${key}.`)
    assert.equal(this.table.delete(viewed(source), 1, source.length - 1), this.model.delete(key))
  }

  get(key: string): Cell | undefined {
    const source = Buffer.from(key)
    const cell = this.table.get(viewed(source), 0, source.length)
    return cell && { value: text(cell.value), version: cell.version }
  }

  /** The whole table, and every key of `keys` by itself. */
  compare(keys: Iterable<string>): void {
    assert.equal(this.table.count, this.model.size)
    const cells = [...this.table.entries()].map(({ key, value, version }) => [
      text(key),
      { value: text(value), version },
    ])
    assert.deepEqual(cells, [...this.model])
    for (const key of keys) assert.deepEqual(this.get(key), this.model.get(key))
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

/** Long enough to be told apart from any other value of its length. */
const filled = (length: number, seed: number): string =>
  `${seed}:`.repeat(Math.ceil(length / 2)).slice(0, length)

const keyPool = [
  '',
  'a',
  'b',
  'ab',
  'ü€😀',
  'k'.repeat(95),
  'k'.repeat(97),
  'l'.repeat(4050),
  'm'.repeat(5000),
]
const valueLength = fc.oneof(
  fc.constantFrom(0, 1, 15, 16, 17, 96, 97, 4063, 4064, 4065),
  fc.integer({ min: 0, max: 200 }),
  fc.integer({ min: 0, max: 10_000 }),
)
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ key: fc.constantFrom(...keyPool), length: valueLength }) },
  { weight: 1, arbitrary: fc.record({ key: fc.constantFrom(...keyPool), length: fc.constant(-1) }) },
)

describe('the table of the kv machine', () => {
  it('does what a Map does, for keys and values of all sizes', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const pair = new Pair()
        for (const [index, { key, length }] of operations.entries()) {
          if (length < 0) pair.delete(key)
          else pair.set(key, filled(length, index))
        }
        pair.compare(keyPool)
      }),
      runs(250),
    )
  })

  it('does what a Map does with many keys that come, grow, shrink and go', () => {
    const random = seededRandom(7)
    const below = (limit: number): number => Math.floor(random.next() * limit)
    const pair = new Pair()
    const keys = Array.from({ length: 4000 }, (_, index) => `key-${index}-${'x'.repeat(index % 40)}`)
    for (let step = 0; step < 40_000; step++) {
      const key = keys[below(keys.length)] as string
      if (below(3) === 0) pair.delete(key)
      else pair.set(key, filled(below(50) === 0 ? below(8000) : below(120), step))
    }
    pair.compare(keys)
    for (const key of keys) if (pair.model.has(key)) pair.delete(key)
    pair.compare(keys)
    for (const key of keys) pair.set(key, key)
    pair.compare(keys)
  })

  it('finds keys and their absence when the index is full of tombstones', () => {
    const pair = new Pair()
    for (let step = 0; step < 20_000; step++) {
      pair.set(`k${step}`, 'v')
      if (step >= 3) pair.delete(`k${step - 3}`)
    }
    pair.compare(Array.from({ length: 20_010 }, (_, index) => `k${index}`))
  })

  it('keeps keys longer than a page and values of several MB', () => {
    const pair = new Pair()
    const pageBytes = 1 << 20
    const keys = ['first', ...[-48, -32, -16, 0, 16].map((more) => 'p'.repeat(pageBytes + more)), 'last']
    for (const [index, key] of keys.entries()) pair.set(key, filled(index % 2 === 0 ? 3 << 20 : 10, index))
    pair.compare(keys)
    for (const [index, key] of keys.entries()) pair.set(key, filled(index % 2 === 0 ? 20 : 2 << 20, index))
    pair.compare(keys)
    for (const key of keys.slice(1, 4)) pair.delete(key)
    pair.compare(keys)
    for (const key of keys.toReversed()) pair.set(key, 'again')
    pair.compare(keys)
  })

  it('uses freed cells again without mixing up what they hold', () => {
    const pair = new Pair()
    for (let round = 0; round < 30; round++) {
      for (let index = 0; index < 40; index++)
        pair.set(`k${index}`, filled((round * 37 + index * 211) % 6000, round))
      for (let index = round % 3; index < 40; index += 3) pair.delete(`k${index}`)
      pair.compare(['k0', 'k1', 'k39'])
    }
  })

  it('restores cells in the same order, with versions beyond 32 bits', () => {
    const pair = new Pair()
    const versions = [1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, 2 ** 52]
    for (const [index, version] of versions.entries()) {
      const key = `k${index}`
      pair.table.restore({ key: Buffer.from(key), value: Buffer.from('v'), version })
      pair.model.set(key, { value: 'v', version })
    }
    pair.compare(['k0'])
    for (const [index] of versions.entries()) pair.set(`k${index}`, 'w')
    pair.compare(['k0'])
    for (const [index] of versions.entries())
      pair.set(`k${index}`, 'longer than before, so that the cell moves')
    pair.compare(['k0'])
  })

  it('is empty and usable after clear', () => {
    const pair = new Pair()
    for (let index = 0; index < 3000; index++) pair.set(`k${index}`, filled(index, index))
    pair.table.clear()
    pair.model.clear()
    pair.compare(['k0', 'k2999'])
    for (let index = 0; index < 3000; index++) pair.set(`k${index}`, filled(index * 2, index))
    pair.compare(['k0', 'k2999'])
  })

  /** What a save gives in one pull. */
  const pulled = (table: KvTable): [string, Cell] | undefined => {
    const cell = table.nextSaved()
    return cell && [text(cell.key), { value: text(cell.value), version: cell.version }]
  }

  it('gives a save what was there at its beginning, whatever is written meanwhile, and forgets nothing', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: operation },
      { weight: 5, arbitrary: fc.constant('pull' as const) },
      { weight: 1, arbitrary: fc.constant('begin' as const) },
      { weight: 1, arbitrary: fc.constant('abandon' as const) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const pair = new Pair()
        let expected: [string, Cell][] | undefined
        for (const [index, each] of steps.entries()) {
          if (each === 'begin') {
            if (expected !== undefined) continue
            expected = [...pair.model]
            pair.table.beginSave()
          } else if (each === 'pull') {
            if (expected !== undefined) assert.deepEqual(pulled(pair.table), expected.shift())
            else assert.equal(pulled(pair.table), undefined)
          } else if (each === 'abandon') {
            pair.table.endSave()
            expected = undefined
          } else if (each.length < 0) pair.delete(each.key)
          else pair.set(each.key, filled(each.length, index))
          if (index % 7 === 0) pair.compare(keyPool)
        }
        pair.compare(keyPool)
        for (const cell of expected ?? []) assert.deepEqual(pulled(pair.table), cell)
        if (expected !== undefined) assert.equal(pulled(pair.table), undefined)
        pair.table.endSave()
        pair.compare(keyPool)
      }),
      runs(300),
    )
  })

  it('does so with many keys, through saves that are completed and saves that are abandoned', () => {
    const random = seededRandom(11)
    const below = (limit: number): number => Math.floor(random.next() * limit)
    const pair = new Pair()
    const keys = Array.from({ length: 3000 }, (_, index) => `key-${index}`)
    const write = (step: number): void => {
      const key = keys[below(keys.length)] as string
      if (below(3) === 0) pair.delete(key)
      else pair.set(key, filled(below(50) === 0 ? below(8000) : below(120), step))
    }
    for (let step = 0; step < 6000; step++) write(step)
    for (let save = 0; save < 12; save++) {
      const expected = [...pair.model]
      pair.table.beginSave()
      const end = save % 3 === 2 ? expected.length : below(expected.length)
      for (let count = 0; count < end; count++) {
        if (below(2) === 0) write(save * 10_000 + count)
        assert.deepEqual(pulled(pair.table), expected[count])
      }
      if (save % 3 === 2) assert.equal(pulled(pair.table), undefined)
      pair.table.endSave()
      for (let step = 0; step < below(500); step++) write(save * 10_000 + step)
      pair.compare(keys)
    }
  })

  it('goes on being right after more abandoned saves than there are numbers for them', () => {
    const pair = new Pair()
    for (let index = 0; index < 5; index++) pair.set(`k${index}`, 'v')
    for (let save = 0; save < 5000; save++) {
      pair.table.beginSave()
      const expected = [...pair.model]
      pair.set(`k${save % 5}`, `v${save}`)
      if (save % 1000 > 0) for (const cell of expected.slice(0, 2)) assert.deepEqual(pulled(pair.table), cell)
      pair.table.endSave()
    }
    pair.compare(['k0', 'k4'])
    pair.table.beginSave()
    for (const cell of [...pair.model]) assert.deepEqual(pulled(pair.table), cell)
  })

  it('uses the room of ghosts again', () => {
    const pair = new Pair()
    const write = (round: number): void => {
      for (let index = 0; index < 2000; index++) pair.set(`k${index}`, filled(100, round))
    }
    write(0)
    const pages = (): number => pair.table.pageCount
    const sizes: number[] = []
    for (let round = 1; round <= 20; round++) {
      pair.table.beginSave()
      if (round % 2 === 0) for (let count = 0; count < 500; count++) pulled(pair.table)
      write(round)
      if (round % 3 === 0) while (pulled(pair.table) !== undefined);
      pair.table.endSave()
      sizes.push(pages())
    }
    assert.ok((sizes.at(-1) as number) <= (sizes[2] as number) + 1, sizes.join())
  })

  it('refuses a second save at the same time', () => {
    const { table } = new Pair()
    table.beginSave()
    assert.throws(() => table.beginSave(), InvariantError)
  })

  it('finds everything after it was told how much will come', () => {
    const pair = new Pair()
    for (let index = 0; index < 100; index++) pair.set(`k${index}`, 'v')
    pair.table.reserve(50_000)
    pair.compare(['k0', 'k99'])
    for (let index = 0; index < 3000; index++) pair.set(`k${index}`, 'w')
    pair.compare(['k0', 'k99', 'k2999', 'k3000'])
  })
})
