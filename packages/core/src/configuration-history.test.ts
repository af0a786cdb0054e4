/** Raft §6: a server uses the latest configuration in its log, committed or not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { configurationEntryOf, configurationOf, entryOf, memberOf } from '../test/subject.ts'
import { simpleConfiguration } from './configuration.ts'
import { ConfigurationHistory } from './configuration-history.ts'
import type { Configuration } from './types.ts'

/** A configuration that its index can be told from. */
const numbered = (index: number): Configuration => simpleConfiguration([{ id: 'a', incarnation: index }])
const entryAt = (index: number) => configurationEntryOf(index, 1, numbered(index))

/** By the definition: the last of `steps` at or below `index`. */
const latestOf = (steps: readonly number[], index = Number.MAX_SAFE_INTEGER): number =>
  Math.max(...steps.filter((step) => step <= index))

test('§6 the latest in the log is in effect; truncation brings the one before back', () => {
  const step = fc.record({
    kind: fc.constantFrom('add', 'truncate', 'compact'),
    n: fc.integer({ min: 1, max: 5 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const history = new ConfigurationHistory(0, numbered(0))
      let model = [0]
      for (const { kind, n } of steps) {
        const last = latestOf(model)
        if (kind === 'add') {
          history.add(entryAt(last + n))
          model.push(last + n)
        }
        if (kind === 'truncate') {
          const from = last - n + 1
          history.truncateFrom(from)
          model = model.filter((index, at) => at === 0 || index < from)
        }
        if (kind === 'compact') {
          const to = model[Math.min(n, model.length) - 1] as number
          history.startFrom(to, numbered(to))
          model = model.filter((index) => index >= to)
        }
        assert.deepEqual([history.latestIndex, history.latest], [latestOf(model), numbered(latestOf(model))])
        for (let index = model[0] as number; index <= latestOf(model) + 2; index++) {
          const expected = latestOf(model, index)
          assert.deepEqual(history.at(index), { index: expected, configuration: numbered(expected) })
        }
      }
    }),
  )
})

test('the one that the log begins with is never truncated', () => {
  const history = new ConfigurationHistory(3, configurationOf(3))
  history.truncateFrom(1)
  assert.deepEqual([history.latestIndex, history.latest], [3, configurationOf(3)])
})

test('an entry that is known already is no news', () => {
  const history = new ConfigurationHistory(5, configurationOf(3))
  history.add(configurationEntryOf(5, 1, configurationOf(1)))
  history.add(configurationEntryOf(4, 1, configurationOf(1)))
  assert.deepEqual(history.latest, configurationOf(3))
})

test('a log that begins anew forgets all', () => {
  const history = new ConfigurationHistory(0, configurationOf(3))
  history.add(entryAt(4))
  history.add(entryAt(8))
  history.restart(6, configurationOf(2))
  assert.deepEqual([history.latestIndex, history.latest], [6, configurationOf(2)])
  history.truncateFrom(7)
  assert.equal(history.latestIndex, 6)
})

test('what the log is found to hold takes the place of what was known behind the first one', () => {
  const history = new ConfigurationHistory(2, configurationOf(3))
  history.add(entryAt(4))
  history.refill([entryAt(1), entryAt(3), entryAt(7)])
  assert.deepEqual(
    [2, 3, 6, 7].map((index) => history.at(index).index),
    [2, 3, 3, 7],
  )
})

test('before the first one nothing is known, and an entry that holds none is a broken invariant', () => {
  const history = new ConfigurationHistory(5, simpleConfiguration([memberOf('a')]))
  assert.throws(() => history.at(4), { name: 'InvariantError' })
  assert.throws(() => history.add(entryOf(6, 1)), { name: 'InvariantError' })
})
