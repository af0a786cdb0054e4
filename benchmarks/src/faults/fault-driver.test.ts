import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault, InjectedFault } from '@troupe/cluster'
import { FaultDriver, type FaultyCluster } from './fault-driver.ts'
import type { SustainedFault } from './sustained-faults.ts'

const slow: Fault = { kind: 'storage', mode: 'slow', timeMs: 1, nodes: 'all' }
const crash: Fault = { kind: 'crash', nodes: 'primaries' }

/** A driver over a cluster that writes down what is done to it. */
function driverOf(fault: SustainedFault, onHeal: () => void = () => {}) {
  const done: string[] = []
  let lastId = 0
  const cluster: FaultyCluster = {
    inject: async (given) => {
      done.push(given.kind)
      return { id: ++lastId, atMs: 7, text: `${given.kind} of n1` } as InjectedFault
    },
    heal: async (id) => {
      done.push(`heal ${id ?? 'all'}`)
      onHeal()
    },
  }
  const marks: string[] = []
  const texts: string[] = []
  const driver = new FaultDriver(cluster, fault, {
    mark(kind, text) {
      marks.push(kind)
      texts.push(text)
    },
  })
  return { driver, done, marks, texts }
}

test('what lasts is on from the beginning to the end', async () => {
  const { driver, done, marks } = driverOf({ help: 'slow', lasting: [slow, slow] })
  await driver.begin()
  assert.deepEqual(done, ['storage', 'storage'])
  await driver.end()
  assert.deepEqual(done.slice(2), ['heal all'])
  assert.deepEqual(marks, ['fault', 'heal'])
})

test('what recurs is healed before it strikes again', async () => {
  const thrice = Promise.withResolvers<void>()
  let heals = 0
  const recurring = { fault: crash, everyMs: 2, healAfterMs: 1 }
  const { driver, done, marks, texts } = driverOf({ help: 'crashes', lasting: [], recurring }, () => {
    if (++heals === 3) thrice.resolve()
  })
  await driver.begin()
  await thrice.promise
  await driver.end()
  assert.ok(driver.strikes >= 3)
  assert.equal(done.at(-1), 'heal all')
  const kinds = done.slice(0, -1)
  assert.ok(kinds.every((kind, index) => kind === (index % 2 === 0 ? 'crash' : `heal ${(index + 1) / 2}`)))
  assert.deepEqual(marks.slice(0, 4), ['fault', 'heal', 'fault', 'heal'])
  assert.deepEqual(texts.slice(0, 2), ['crash of n1', 'healed'])
})

test('a fault that the cluster refuses is told', async () => {
  const cluster: FaultyCluster = {
    inject: async () => {
      throw new TypeError('not that')
    },
    heal: async () => {},
  }
  const driver = new FaultDriver(cluster, { help: 'slow', lasting: [slow] }, { mark: () => {} })
  await assert.rejects(driver.begin(), /not that/)
})
