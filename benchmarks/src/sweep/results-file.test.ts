import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Environment } from '../environment.ts'
import { type MeasuringSettings, originOf, pointKey } from './origin.ts'
import { type ResultLine, ResultsFile } from './results-file.ts'
import { runOf, settingsOf } from './sweep.fixture.ts'

const scratch = mkdtempSync(join(tmpdir(), 'troupe-sweep-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

const measuring: MeasuringSettings = {
  durability: 'memory',
  seconds: 1,
  warmupSeconds: 0,
  keys: 10,
  seed: 1,
  hasFaults: false,
}
const origin = { engine: 'abc', machine: 'def' }

const line = (key: string, opsPerSecond: number): ResultLine => ({
  kind: 'run',
  key,
  cluster: 'c1',
  date: '2026-01-01T00:00:00.000Z',
  origin,
  measuring,
  settings: settingsOf(),
  result: runOf(opsPerSecond, 1),
})

test('what is finished is there again, and a line that an interruption tore costs only itself', () => {
  const path = join(scratch, 'made', 'results.jsonl')
  const first = new ResultsFile(path)
  first.append(line('a', 1))
  first.append({ kind: 'check', cluster: 'c1', verdict: 'pass' })
  appendFileSync(path, '{"kind":"run","key":"b","resu')

  const second = new ResultsFile(path)
  assert.deepEqual(
    second.runsOf('a').map(({ result }) => result.opsPerSecond),
    [1],
  )
  assert.deepEqual(second.runsOf('b'), [])
  second.append(line('a', 2))

  const third = new ResultsFile(path)
  assert.deepEqual(
    third.runsOf('a').map(({ result }) => result.opsPerSecond),
    [1, 2],
  )
  assert.deepEqual([third.verdictOf('c1'), third.verdictOf('c2')], ['pass', undefined])
})

test('a run on a cluster that came to no check is measured again', () => {
  const path = join(scratch, 'unchecked.jsonl')
  const first = new ResultsFile(path)
  first.append(line('a', 1))
  assert.deepEqual([first.hasRuns('c1'), first.hasRuns('c2')], [true, false])
  assert.equal(first.runsOf('a').length, 1, 'until then it counts')

  const second = new ResultsFile(path)
  assert.deepEqual(second.runsOf('a'), [])
  assert.equal(second.hasRuns('c1'), false)
})

test('a fresh file is empty', () => {
  const path = join(scratch, 'fresh.jsonl')
  new ResultsFile(path).append(line('a', 1))
  assert.deepEqual(new ResultsFile(path, { isFresh: true }).runsOf('a'), [])
  assert.equal(readFileSync(path, 'utf8'), '')
})

test('a place that cannot be written to is refused before anything runs', () => {
  assert.throws(() => new ResultsFile(scratch), /--results is .* expected a file that can be written/)
})

test('a figure belongs to its settings, to how it was measured, to the engine and to the machine', () => {
  const key = pointKey(settingsOf(), measuring, origin)
  assert.equal(pointKey({ ...settingsOf() }, { ...measuring }, { ...origin }), key)
  const others = [
    pointKey(settingsOf({ window: 2 }), measuring, origin),
    pointKey(settingsOf({ delayMs: 1 }), measuring, origin),
    pointKey(settingsOf(), { ...measuring, seconds: 2 }, origin),
    pointKey(settingsOf(), { ...measuring, hasFaults: true }, origin),
    pointKey(settingsOf(), measuring, { ...origin, engine: 'abd' }),
    pointKey(settingsOf(), measuring, { ...origin, machine: 'deg' }),
  ]
  assert.equal(new Set([key, ...others]).size, 7)
})

test('the machine is the same on another day, and another with another disk', () => {
  const environment: Environment = {
    date: '2026-01-01T00:00:00.000Z',
    nodeVersion: 'v26',
    platform: 'linux',
    cpuModel: 'x',
    cpuCount: 2,
    memoryBytes: 1,
    fileSystem: null,
    durability: 'memory',
    uvThreadpoolSize: 16,
    gitCommit: 'abc',
  }
  const { engine, machine } = originOf(environment)
  assert.equal(engine, 'abc')
  assert.equal(originOf({ ...environment, date: '2026-02-01T00:00:00.000Z' }).machine, machine)
  const fileSystem = { type: 'ext4', durable: true }
  assert.notEqual(originOf({ ...environment, fileSystem }).machine, machine)
})
