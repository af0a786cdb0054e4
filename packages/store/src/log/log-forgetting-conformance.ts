/** What a LogStore must make of entries that peers prove to have been there; part of `logStoreConformance`. */
import assert from 'node:assert/strict'
import type { LogStore } from '@troupe/core'
import { type Case, contentOf, placesOf, sampleEntries, sampleEntry, sampleHardState } from './log-probe.ts'

const missing = [{ from: 5, to: 7 }]

function checkMissing(store: LogStore): void {
  assert.deepEqual([store.lastIndex, store.damaged], [7, missing])
  assert.deepEqual(
    [4, 5, 7, 8].map((index) => store.termAt(index)),
    [1, undefined, undefined, undefined],
  )
  assert.deepEqual(placesOf(store.read(1, 4, Number.POSITIVE_INFINITY)), placesOf(sampleEntries(1, 4, 1)))
  assert.throws(() => store.read(5, 5, 1), { code: 'STORAGE_DAMAGED' })
  assert.deepEqual(store.hardState, sampleHardState(3, 'a'))
}

/** They need a store that can be opened again. */
export const forgettingCases: Record<string, Case> = {
  'what was forgotten is damage from the next open on, until it is repaired': async (
    { store, probe, reopen },
    t,
  ) => {
    if (!reopen) return t.skip('keeps nothing')
    await probe.write(store, { entries: sampleEntries(1, 4, 1), hardState: sampleHardState(3, 'a') })
    store.forgotten(6)
    store.forgotten(7)
    assert.deepEqual([store.lastIndex, store.damaged], [4, []])
    checkMissing(await reopen(probe))
    const again = await reopen(probe)
    checkMissing(again)
    await probe.write(again, { repairs: sampleEntries(6, 7, 1) })
    assert.deepEqual(again.damaged, [{ from: 5, to: 5 }])
    await probe.write(again, { repairs: [sampleEntry(5, 1)], entries: [sampleEntry(8, 3)] })
    const expected = placesOf([...sampleEntries(1, 7, 1), sampleEntry(8, 3)])
    assert.deepEqual([again.damaged, contentOf(again)], [[], expected])
    const whole = await reopen(probe)
    assert.deepEqual([whole.damaged, contentOf(whole)], [[], expected])
  },

  'what was forgotten is gone with a truncation': async ({ store, probe, reopen }, t) => {
    if (!reopen) return t.skip('keeps nothing')
    await probe.write(store, { entries: sampleEntries(1, 4, 1) })
    store.forgotten(7)
    const again = await reopen(probe)
    await probe.write(again, { truncateFrom: 5, entries: sampleEntries(5, 6, 2) })
    const expected = placesOf([...sampleEntries(1, 4, 1), ...sampleEntries(5, 6, 2)])
    assert.deepEqual([again.damaged, contentOf(again)], [[], expected])
    const whole = await reopen(probe)
    assert.deepEqual([whole.damaged, contentOf(whole)], [[], expected])
  },

  'what was forgotten is covered by a reset': async ({ store, probe, reopen }, t) => {
    if (!reopen) return t.skip('keeps nothing')
    await probe.write(store, { entries: sampleEntries(1, 4, 1) })
    store.forgotten(7)
    const again = await reopen(probe)
    await probe.write(again, { reset: { index: 9, term: 2 } })
    assert.deepEqual([again.damaged, again.lastIndex], [[], 9])
    const whole = await reopen(probe)
    assert.deepEqual([whole.damaged, whole.base, whole.lastIndex], [[], { index: 9, term: 2 }, 9])
  },

  'what is stored cannot be forgotten': async ({ store, probe, reopen }, t) => {
    if (!reopen) return t.skip('keeps nothing')
    await probe.write(store, { entries: sampleEntries(1, 4, 1) })
    store.forgotten(3)
    const again = await reopen(probe)
    assert.deepEqual([again.damaged, contentOf(again)], [[], placesOf(sampleEntries(1, 4, 1))])
  },
}
