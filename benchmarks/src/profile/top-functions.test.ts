import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CpuProfile, CpuProfiler } from '@troupe/actor'
import { profileOf } from './top-functions.ts'

const node = (id: number, functionName: string, children: number[] = [], url = '') => ({
  id,
  callFrame: { functionName, url, lineNumber: 9, columnNumber: 0 },
  children,
})

/** A sample of each node, each 1 ms but the last, whose length nobody knows. */
function profileWith(nodes: CpuProfile['nodes'], samples: number[]): CpuProfile {
  return { nodes, samples, timeDeltas: [0, ...samples.slice(1).map(() => 1000)], startTime: 0, endTime: 1 }
}

const file = 'file:///somewhere/packages/core/src/log.ts'

test('functions are told by the time in them alone, without what they call', () => {
  const nodes = [node(1, '(root)', [2, 4]), node(2, 'outer', [3], file), node(3, 'inner'), node(4, '(idle)')]
  const { functions, sampledMs, idleShare } = profileOf(profileWith(nodes, [2, 3, 3, 4, 1]))
  assert.deepEqual([sampledMs, idleShare], [4, 0.25])
  assert.deepEqual(functions, [
    { name: 'inner', place: '', selfMs: 2, share: 2 / 3, totalMs: 2 },
    { name: 'outer', place: 'core/src/log.ts:10', selfMs: 1, share: 1 / 3, totalMs: 3 },
  ])
})

test('one function that was called from many places is one row, and recursion counts once', () => {
  const nodes = [node(1, '(root)', [2, 4]), node(2, 'f', [3]), node(3, 'f'), node(4, 'g', [5]), node(5, 'f')]
  const { functions } = profileOf(profileWith(nodes, [2, 3, 5, 5, 1]))
  assert.deepEqual(functions, [{ name: 'f', place: '', selfMs: 4, share: 1, totalMs: 4 }])
})

test('garbage is told as a share of what is not idle', () => {
  const nodes = [
    node(1, '(root)', [2, 3, 4]),
    node(2, '(garbage collector)'),
    node(3, '(idle)'),
    node(4, 'f'),
  ]
  assert.equal(profileOf(profileWith(nodes, [2, 3, 3, 4, 4, 4, 1])).garbageShare, 0.25)
})

test('modules of others are told from their package on', () => {
  const url = 'file:///somewhere/node_modules/.pnpm/x/node_modules/lmdb/write.js'
  const nodes = [node(1, '(root)', [2]), node(2, 'put', [], url)]
  const { functions } = profileOf(profileWith(nodes, [2, 1]))
  assert.equal(functions[0]?.place, 'lmdb/write.js:10')
})

test('nothing was sampled', () => {
  const { sampledMs, functions } = profileOf(profileWith([node(1, '(root)')], []))
  assert.deepEqual([sampledMs, functions], [0, []])
})

test('a real profile knows who was busy', async () => {
  const profiler = await CpuProfiler.start()
  const busyWithNothing = (): number => {
    const untilMs = performance.now() + 300
    let sum = 0
    while (performance.now() < untilMs) for (let turn = 0; turn < 1e5; turn++) sum += turn % 7
    return sum
  }
  assert.ok(busyWithNothing() > 0)
  const { functions } = profileOf(await profiler.stop())
  const [first] = functions
  assert.equal(first?.name, 'busyWithNothing')
  assert.match(first?.place ?? '', /src\/profile\/top-functions\.test\.ts:\d+$/)
})
