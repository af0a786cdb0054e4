/** The part of the log store's conformance that is about where a log begins: compaction, reset, repair in place. */
import assert from 'node:assert/strict'
import { type Entry, type HardState, type LogPosition, type LogStore, seededRandom } from '@troupe/core'
import {
  type Bench,
  type Case,
  contentOf,
  placesOf,
  type RequestContent,
  sampleEntries,
  sampleEntry,
  sampleHardState,
} from './log-probe.ts'

const at = (index: number, term: number): LogPosition => ({ index, term })

/** Checks where the log begins and what it holds, now and after a close. */
async function holds(bench: Bench, store: LogStore, base: LogPosition, content: LogPosition[]) {
  const check = (found: LogStore): void => {
    assert.deepEqual(found.base, base)
    assert.equal(found.lastIndex, base.index + content.length)
    assert.deepEqual(contentOf(found), content)
  }
  check(store)
  if (bench.reopen === undefined) return store
  const again = await bench.reopen(bench.probe)
  check(again)
  return again
}

const recordsOf = (store: LogStore): Buffer[] =>
  store
    .read(store.base.index + 1, store.lastIndex, Number.POSITIVE_INFINITY)
    .map((entry) => Buffer.from(entry.record))

export const compactionCases: Record<string, Case> = {
  'a compacted log begins behind the place given': async (bench) => {
    const { store, probe } = bench
    await probe.write(store, { entries: [...sampleEntries(1, 4, 1), ...sampleEntries(5, 9, 3)] })
    const { token } = probe.hand(store, { compactTo: at(5, 3) })
    assert.deepEqual(store.base, at(0, 0), 'until it is complete the log is as it was')
    assert.equal(store.read(1, 9, 1e6).length, 9)
    await probe.until(token)
    assert.throws(() => store.read(5, 9, 1e6))
    const again = await holds(bench, store, at(5, 3), placesOf(sampleEntries(6, 9, 3)))
    await probe.write(again, { compactTo: at(9, 3), hardState: sampleHardState(4, 'a') })
    const empty = await holds(bench, again, at(9, 3), [])
    assert.deepEqual(empty.hardState, sampleHardState(4, 'a'))
    await probe.write(empty, { entries: sampleEntries(10, 11, 4) })
    await holds(bench, empty, at(9, 3), placesOf(sampleEntries(10, 11, 4)))
  },

  'the size of the log is that of what is behind the base': async ({ store, probe, reopen }) => {
    const { byteLength } = sampleEntry(1, 1).record
    const size = (): number | undefined => store.metrics.logBytes
    if (size() === undefined) return
    assert.equal(size(), 0)
    await probe.write(store, { entries: sampleEntries(1, 10, 1) })
    assert.equal(size(), 10 * byteLength)
    await probe.write(store, { entries: sampleEntries(11, 12, 1), compactTo: at(5, 1) })
    assert.equal(size(), 7 * byteLength)
    if (reopen) assert.equal((await reopen(probe)).metrics.logBytes, 7 * byteLength)
    else await probe.write(store, { compactTo: at(12, 1) })
  },

  'a compaction covers what its own request adds': async (bench) => {
    const { store, probe } = bench
    await probe.write(store, { entries: sampleEntries(1, 6, 1) })
    await probe.write(store, { truncateFrom: 4, entries: sampleEntries(4, 8, 2), compactTo: at(6, 2) })
    await holds(bench, store, at(6, 2), placesOf(sampleEntries(7, 8, 2)))
  },

  'of merged compactions the last one counts, and none goes back': async (bench) => {
    const { store, probe } = bench
    await probe.write(store, { entries: sampleEntries(1, 10, 1) })
    probe.hand(store, { compactTo: at(2, 1) })
    probe.hand(store, { compactTo: at(4, 1) })
    probe.hand(store, { entries: sampleEntries(11, 12, 1) })
    probe.hand(store, { compactTo: at(7, 1) })
    const { token } = probe.hand(store, { compactTo: at(5, 1), truncateFrom: 12 })
    await probe.until(token)
    const again = await holds(bench, store, at(7, 1), placesOf(sampleEntries(8, 11, 1)))
    await probe.write(again, { compactTo: at(3, 1) })
    await holds(bench, again, at(7, 1), placesOf(sampleEntries(8, 11, 1)))
  },

  'a long compacted log goes, and the rest stays': async (bench) => {
    let { store } = bench
    const { probe, reopen } = bench
    await probe.write(store, { entries: sampleEntries(1, 2000, 1) })
    await probe.write(store, { compactTo: at(1990, 1) })
    for (let index = 2001; index <= 2030; index++) {
      await probe.write(store, { entries: [sampleEntry(index, 1)] })
      if (index % 10 === 0 && reopen) store = await reopen(probe)
    }
    await probe.write(store, { reset: at(5000, 2), entries: sampleEntries(5001, 5003, 2) })
    if (reopen) store = await reopen(probe)
    await probe.write(store, { entries: sampleEntries(5004, 5300, 2), compactTo: at(5100, 2) })
    await holds(bench, store, at(5100, 2), placesOf(sampleEntries(5101, 5300, 2)))
  },

  'a reset leaves an empty log behind its place': async (bench) => {
    const { store, probe } = bench
    await probe.write(store, { entries: sampleEntries(1, 6, 1), hardState: sampleHardState(1, 'a') })
    const { token } = probe.hand(store, { reset: at(4, 2) })
    assert.equal(store.lastIndex, 6)
    await probe.until(token)
    const again = await holds(bench, store, at(4, 2), [])
    assert.deepEqual(again.hardState, sampleHardState(1, 'a'))
    await probe.write(again, { entries: sampleEntries(5, 6, 3) })
    await holds(bench, again, at(4, 2), placesOf(sampleEntries(5, 6, 3)))
  },

  'a reset may go far ahead, and back': async (bench) => {
    const { store, probe } = bench
    await probe.write(store, { entries: sampleEntries(1, 300, 1) })
    await probe.write(store, { reset: at(1000, 2), entries: sampleEntries(1001, 1300, 2) })
    const ahead = await holds(bench, store, at(1000, 2), placesOf(sampleEntries(1001, 1300, 2)))
    await probe.write(ahead, { compactTo: at(1200, 2) })
    await probe.write(ahead, { reset: at(200, 3), entries: sampleEntries(201, 202, 3) })
    const back = await holds(bench, ahead, at(200, 3), placesOf(sampleEntries(201, 202, 3)))
    await probe.write(back, { entries: sampleEntries(203, 1250, 4) })
    await holds(
      bench,
      back,
      at(200, 3),
      placesOf([...sampleEntries(201, 202, 3), ...sampleEntries(203, 1250, 4)]),
    )
  },

  'a reset comes first in its request, and undoes what was merged before it': async (bench) => {
    const { store, probe } = bench
    await probe.write(store, { entries: sampleEntries(1, 10, 1) })
    probe.hand(store, { entries: sampleEntries(11, 12, 1) })
    probe.hand(store, {
      truncateFrom: 9,
      repairs: [sampleEntry(3, 1, 20)],
      entries: sampleEntries(9, 40, 2),
      compactTo: at(5, 1),
      hardState: sampleHardState(2, 'b'),
    })
    probe.hand(store, {
      reset: at(20, 2),
      truncateFrom: 21,
      entries: sampleEntries(21, 25, 3),
      compactTo: at(22, 3),
    })
    const { token } = probe.hand(store, { truncateFrom: 25, entries: sampleEntries(25, 26, 4) })
    await probe.until(token)
    const expected = [...sampleEntries(23, 24, 3), ...sampleEntries(25, 26, 4)]
    const again = await holds(bench, store, at(22, 3), placesOf(expected))
    assert.deepEqual(again.hardState, sampleHardState(2, 'b'))
  },

  'a repair takes the place of an entry': async (bench) => {
    const { store, probe } = bench
    await probe.write(store, { entries: sampleEntries(1, 8, 1) })
    const repairs = [sampleEntry(2, 1, 3), sampleEntry(3, 1, 5000), sampleEntry(8, 1, 0)]
    await probe.write(store, { repairs })
    const expected = [
      ...sampleEntries(1, 1, 1),
      ...repairs.slice(0, 2),
      ...sampleEntries(4, 7, 1),
      repairs[2] as Entry,
    ]
    assert.deepEqual(
      recordsOf(store),
      expected.map(({ record }) => Buffer.from(record)),
    )
    await holds(bench, store, at(0, 0), placesOf(expected))
  },

  'merged repairs follow what becomes of their entries': async (bench) => {
    const { store, probe } = bench
    await probe.write(store, { entries: sampleEntries(1, 8, 1) })
    probe.hand(store, { repairs: [sampleEntry(1, 1, 1)] })
    probe.hand(store, {
      repairs: [sampleEntry(2, 1, 2), sampleEntry(7, 1, 7)],
      entries: sampleEntries(9, 10, 1),
    })
    probe.hand(store, { repairs: [sampleEntry(9, 1, 99), sampleEntry(2, 1, 22)], compactTo: at(1, 1) })
    const { token } = probe.hand(store, { truncateFrom: 7, entries: sampleEntries(7, 9, 2) })
    await probe.until(token)
    const expected = [sampleEntry(2, 1, 22), ...sampleEntries(3, 6, 1), ...sampleEntries(7, 9, 2)]
    assert.deepEqual(
      recordsOf(store),
      expected.map(({ record }) => Buffer.from(record)),
    )
    await holds(bench, store, at(1, 1), placesOf(expected))
  },

  'a repair of an entry that is being added is that entry': async (bench) => {
    const { store, probe } = bench
    probe.hand(store, { entries: sampleEntries(1, 2, 1) })
    probe.hand(store, { entries: sampleEntries(3, 5, 1) })
    const { token } = probe.hand(store, { repairs: [sampleEntry(2, 1, 50), sampleEntry(4, 1, 60)] })
    await probe.until(token)
    const expected = [1, 2, 3, 4, 5].map((index) => sampleEntry(index, 1, { 2: 50, 4: 60 }[index]))
    assert.deepEqual(
      recordsOf(store),
      expected.map(({ record }) => Buffer.from(record)),
    )
  },

  'a truncation of what only waits leaves what is stored': async (bench) => {
    const { store, probe } = bench
    probe.hand(store, { entries: sampleEntries(1, 4, 1) })
    probe.hand(store, { entries: sampleEntries(5, 9, 1) })
    const { token } = probe.hand(store, { truncateFrom: 7 })
    await probe.until(token)
    await holds(bench, store, at(0, 0), placesOf(sampleEntries(1, 6, 1)))
  },

  'places outside of the log are refused': async ({ store, probe }) => {
    await probe.write(store, { entries: sampleEntries(1, 6, 1) })
    const refused = (content: RequestContent): void => {
      assert.throws(() => store.persist(probe.request(content)))
    }
    refused({ compactTo: at(7, 1) })
    probe.hand(store, { entries: sampleEntries(7, 8, 1), compactTo: at(4, 1) })
    refused({ compactTo: at(9, 1) })
    refused({ truncateFrom: 4 })
    refused({ repairs: [sampleEntry(4, 1)] })
    refused({ repairs: [sampleEntry(9, 1)] })
    refused({ reset: at(-1, 0) })
    refused({ reset: at(3, 1), truncateFrom: 3 })
    await probe.until(probe.hand(store).token)
  },

  'whatever is merged with what, the log is the one that the requests make in turn': async (bench) => {
    for (let seed = 1; seed <= 12; seed++) await randomRequests(bench, seed)
  },
}

/** What a log is by the requests alone. */
interface Model {
  base: LogPosition
  entries: Entry[]
  hardState: HardState
}

/** Requests at random, merged as it happens, against a model that does one after the other. */
async function randomRequests(bench: Bench, seed: number): Promise<void> {
  const random = seededRandom(seed)
  const below = (limit: number): number => Math.floor(random.next() * limit)
  let store = await (bench.reopen?.(bench.probe) ?? bench.store)
  const first = store.base.index + below(500) + store.lastIndex
  const model: Model = { base: at(first, seed * 1000), entries: [], hardState: store.hardState }
  bench.probe.hand(store, { reset: model.base })
  for (let step = 1; step <= 60; step++) {
    const content = randomContent(model, seed * 1000 + step, below)
    follow(model, content)
    const { token } = bench.probe.hand(store, content)
    if (below(4) > 0) continue
    await bench.probe.until(token)
    if (bench.reopen !== undefined && below(8) === 0) store = await bench.reopen(bench.probe)
    const context = `seed ${seed}, step ${step}`
    assert.deepEqual([store.base, contentOf(store)], [model.base, placesOf(model.entries)], context)
    assert.deepEqual(store.hardState, model.hardState, context)
    if (model.entries.length === 0) continue
    assert.deepEqual(
      recordsOf(store),
      model.entries.map(({ record }) => Buffer.from(record)),
      context,
    )
  }
  await bench.probe.until(bench.probe.hand(store).token)
}

function randomContent(model: Model, term: number, below: (limit: number) => number): RequestContent {
  let base = model.base.index
  let last = base + model.entries.length
  const termAt = (index: number): number => model.entries[index - model.base.index - 1]?.term as number
  const content: { -readonly [K in keyof RequestContent]: RequestContent[K] } = {}
  if (below(12) === 0) {
    base = last = Math.max(0, base + below(400) - 150)
    content.reset = at(base, term)
  } else if (last > base && below(4) === 0) {
    last -= below(Math.min(last - base, 20) + 1)
    content.truncateFrom = last + 1
  }
  if (last > base && below(5) === 0) {
    const index = base + 1 + below(last - base)
    content.repairs = [sampleEntry(index, termAt(index), below(300))]
  }
  const added = below(3) * below(15)
  if (added > 0) content.entries = sampleEntries(last + 1, last + added, term, below(40))
  if (last + added > base && below(5) === 0) {
    const to = base + 1 + below(last + added - base)
    content.compactTo = at(to, to > last ? term : termAt(to))
  }
  if (below(3) === 0) content.hardState = sampleHardState(term, below(2) === 0 ? '' : 'b', below(2 ** 30))
  return content
}

function follow(model: Model, content: RequestContent): void {
  const { reset, truncateFrom, repairs = [], entries = [], compactTo, hardState } = content
  if (reset !== undefined) {
    model.base = reset
    model.entries = []
  }
  if (truncateFrom !== undefined) model.entries.length = truncateFrom - model.base.index - 1
  for (const entry of repairs) model.entries[entry.index - model.base.index - 1] = entry
  model.entries.push(...entries)
  if (compactTo !== undefined) {
    model.entries.splice(0, compactTo.index - model.base.index)
    model.base = compactTo
  }
  if (hardState !== undefined) model.hardState = hardState
}
