import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { RaftError } from '@troupe/core'
import { compareWith, readBaseline, writeBaseline } from './baseline.ts'
import { chosenTasks } from './micro-command.ts'
import { type MicroResult, runMicro } from './run-micro.ts'
import { SmallCluster } from './small-cluster.ts'
import { computing, type MicroTask } from './task.ts'
import { microTasks } from './tasks.ts'

const directory = mkdtempSync(join(tmpdir(), 'test-troupe-micro-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const result = (name: string, ratio: number, spread = 0.01): MicroResult => ({
  name,
  unit: 'items',
  yardstick: 'loop',
  nsPerUnit: 1,
  ratio,
  spread,
})

const verdicts = (before: MicroResult, now: MicroResult): string[] =>
  compareWith([before], [now], 0.25).map(({ verdict }) => verdict)

test('what differs by less than the margin is the same', () => {
  assert.deepEqual(verdicts(result('a', 1), result('a', 1.24)), ['same'])
  assert.deepEqual(verdicts(result('a', 1), result('a', 0.8)), ['same'])
})

test('more is slower or faster', () => {
  const [slower] = compareWith([result('a', 1)], [result('a', 1.5)], 0.25)
  assert.deepEqual(slower, { name: 'a', before: 1, now: 1.5, change: 0.5, verdict: 'slower' })
  assert.deepEqual(verdicts(result('a', 1), result('a', 0.5)), ['faster'])
})

test('rounds that lie further apart than the change say nothing', () => {
  assert.deepEqual(verdicts(result('a', 1), result('a', 1.5, 0.6)), ['unsteady'])
  assert.deepEqual(verdicts(result('a', 1, 0.6), result('a', 1.5)), ['unsteady'])
  assert.deepEqual(verdicts(result('a', 1), result('a', 3, 0.6)), ['slower'])
})

test('a task that the baseline does not know is new', () => {
  assert.deepEqual(verdicts(result('a', 1), result('b', 9)), ['new'])
})

test('a baseline is read as it was written, and nothing else is', () => {
  const path = join(directory, 'baseline.json')
  const isInvalid = (error: unknown): boolean => RaftError.is(error, 'INVALID_OPTIONS')
  assert.throws(() => readBaseline(path), isInvalid)
  const baseline = { format: 1, environment: {}, settings: {}, tasks: [result('a', 2)] } as const
  writeBaseline(path, baseline)
  assert.deepEqual(readBaseline(path), baseline)
  writeBaseline(path, { ...baseline, format: 2 as 1 })
  assert.throws(() => readBaseline(path), isInvalid)
})

test('a task of twice the work has twice the ratio, and everything is closed', async () => {
  const spin = (turns: number) => (): number => {
    let sum = 0
    for (let turn = 0; turn < turns; turn++) sum = Math.imul(sum ^ turn, 0x01000193)
    return sum
  }
  let closed = 0
  const waiting: MicroTask = {
    name: 'waits',
    unit: 'turns',
    unitsPerCall: 1,
    yardstick: 'hop',
    prepare: async () => ({
      call: () => new Promise((resume) => setImmediate(resume)),
      isAsync: true,
      close: async () => void closed++,
    }),
  }
  const tasks = [
    computing('one', 'spins', 1, () => spin(1e5)),
    computing('many', 'spins', 1, () => spin(2e6)),
    waiting,
  ]
  const [one, many, waits] = await runMicro(tasks, directory, { rounds: 3, sliceMs: 20 })
  assert.ok((many?.ratio ?? 0) > (one?.ratio ?? 0))
  assert.ok((waits?.ratio ?? 0) > 0)
  assert.equal(closed, 1)
})

test('a call that throws ends the run, and what was opened is closed', async () => {
  let isClosed = false
  const broken: MicroTask = {
    name: 'broken',
    unit: 'calls',
    unitsPerCall: 1,
    yardstick: 'loop',
    prepare: async () => ({
      call: () => {
        throw new Error('broken')
      },
      isAsync: false,
      close: async () => {
        isClosed = true
      },
    }),
  }
  await assert.rejects(runMicro([broken], directory, { rounds: 1, sliceMs: 5 }), /broken/)
  assert.ok(isClosed)
})

for (const task of microTasks) {
  test(`${task.name}: runs`, async () => {
    const { call, close } = await task.prepare(directory)
    try {
      for (let round = 0; round < 3; round++) await call()
    } finally {
      await close?.()
    }
  })
}

test('three drivers in one thread apply what is proposed', () => {
  const cluster = new SmallCluster()
  const [before] = cluster.applied
  for (let entry = 0; entry < 10; entry++) cluster.propose(new Uint8Array(16))
  assert.equal(cluster.applied[0], (before as number) + 10)
  // The last one's commit is told to the followers with the next.
  for (const applied of cluster.applied.slice(1)) assert.ok(applied >= (before as number) + 9)
})

test('tasks are chosen by a part of their name', () => {
  assert.ok(chosenTasks('log: append').every(({ name }) => name.startsWith('log: append')))
  assert.throws(() => chosenTasks('no such task'), /a part of/)
  assert.equal(new Set(microTasks.map(({ name }) => name)).size, microTasks.length)
})
