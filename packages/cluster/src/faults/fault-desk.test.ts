import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { RaftError, seededRandom } from '@troupe/core'
import { DamagedDisk } from './damaged-disk.ts'
import { FaultDesk } from './fault-desk.ts'
import type { FaultPart } from './fault-parts.ts'
import { KeptFaults } from './kept-faults.ts'

interface Bench {
  readonly directory: string
  /** A start of the node; the one before it ends as by a kill. */
  start(): FaultDesk
  deaths(): number
  ofDay: number
}

async function withDesk(run: (bench: Bench) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-desk-'))
  let desk: FaultDesk | undefined
  let deaths = 0
  const die = (): void => {
    deaths++
  }
  const bench: Bench = {
    directory,
    ofDay: 1_000_000,
    deaths: () => deaths,
    start: () => {
      desk?.close()
      desk = new FaultDesk({
        kept: new KeptFaults(directory, () => bench.ofDay),
        disk: new DamagedDisk(directory, seededRandom(1)),
        seed: 1,
        log: () => {},
        command: async () => {},
        die: die as () => never,
      })
      return desk
    },
  }
  try {
    await run(bench)
  } finally {
    desk?.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

const request = (id: string, forMs: number, ...parts: FaultPart[]) => {
  return { id, text: 'test', nodes: ['n1'], forMs, parts }
}
const jam: FaultPart = {
  at: 'links',
  effect: { links: [{ from: 'n1', to: 'n2' }], effect: { kind: 'link', mode: 'jam' } },
}
const idsOf = (desk: FaultDesk): string[] => desk.list().map(({ id }) => id)

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 100_000)
    await new Promise(setImmediate)
  }
}

test('what lasts is there at the next start, for the time that was left; what was over with a death is not', () =>
  withDesk(async (bench) => {
    const desk = bench.start()
    await desk.inject(request('f-jam', 60_000, jam))
    await desk.inject(request('f-fail', 60_000, { at: 'store', effect: { mode: 'fail' } }))
    await desk.inject(request('f-heap', 60_000, { at: 'heap', effect: { percent: 100 } }))
    await desk.inject(request('f-jump', 60_000, { at: 'clock', effect: { mode: 'bump', byMs: 5 } }))
    await desk.inject(request('f-told', 60_000))
    assert.deepEqual(idsOf(desk), ['f-jam', 'f-fail', 'f-heap', 'f-told'])
    desk.destroy('f-heap')
    bench.ofDay += 20_000
    const again = bench.start()
    assert.deepEqual(idsOf(again), ['f-jam', 'f-told'])
    assert.ok((again.list()[0]?.leftMs ?? 0) <= 40_000)
    // Whoever sets the clock back does not prolong it.
    bench.ofDay -= 1e9
    const setBack = bench.start()
    assert.deepEqual(idsOf(setBack), ['f-jam', 'f-told'])
    assert.ok((setBack.list()[0]?.leftMs ?? Number.NaN) <= 60_000)
    bench.ofDay += 2e9
    assert.deepEqual(idsOf(bench.start()), [])
    writeFileSync(join(bench.directory, 'faults.json'), '{"damaged')
    assert.deepEqual(idsOf(bench.start()), [])
  }))

test('a fault ends at its time, and the file goes with the last', () =>
  withDesk(async (bench) => {
    const desk = bench.start()
    // Not over before it is written down, even where this thread has to wait for its processor.
    await desk.inject(request('f-jam', 500, jam))
    assert.equal(existsSync(join(bench.directory, 'faults.json')), true)
    await until(() => idsOf(desk).length === 0)
    assert.equal(existsSync(join(bench.directory, 'faults.json')), false)
  }))

test('a fault that is over before the node has its ports is not on at them', () =>
  withDesk(async (bench) => {
    await bench.start().inject(request('f-jam', 5, jam))
    const desk = bench.start()
    assert.deepEqual(idsOf(desk), ['f-jam'])
    await until(() => idsOf(desk).length === 0)
    const sent: unknown[] = []
    const transport = desk.faults.transport({ send: (messages) => sent.push(...messages) })
    transport.send([{ kind: 'timeoutNow', from: 'n1', to: 'n2', term: 1 } as never])
    assert.equal(sent.length, 1)
    desk.faults.close()
  }))

test('a node that was killed stays down for its time, or until it is told to end', () =>
  withDesk(async (bench) => {
    await bench.start().inject(request('f-kill', 60_000, { at: 'node', action: 'crash' }))
    await until(() => bench.deaths() === 1)
    const ending = new AbortController()
    const down = bench.start().down(ending.signal)
    ending.abort()
    await down
    bench.ofDay += 59_999
    await bench.start().down(new AbortController().signal)
  }))

test('what a lying disk has acknowledged is gone after the death that ends it, and not where it was destroyed', () =>
  withDesk(async (bench) => {
    const { directory } = bench
    const entry = join(directory, 'log', 'entry')
    mkdirSync(join(directory, 'log'))
    writeFileSync(entry, 'old')
    writeFileSync(join(directory, 'identity.json'), '{}')
    const lying: FaultPart = { at: 'disk', effect: { mode: 'lose-unflushed' } }
    const desk = bench.start()
    await desk.inject(request('f-1', 60_000, lying))
    desk.destroy('f-1')
    assert.equal(existsSync(join(directory, 'fault-copies', 'f-1')), false)
    writeFileSync(entry, 'new')
    bench.start().damageDisk()
    assert.equal(readFileSync(entry, 'utf8'), 'new')

    const other = bench.start()
    await other.inject(request('f-2', 1, lying))
    writeFileSync(entry, 'lost')
    await until(() => bench.deaths() === 1)
    const after = bench.start()
    after.damageDisk()
    assert.equal(readFileSync(entry, 'utf8'), 'new')
    assert.deepEqual(idsOf(after), [])
    assert.equal(existsSync(join(directory, 'fault-copies')), false)
  }))

test('what is no fault is refused, and nothing is begun', () =>
  withDesk(async (bench) => {
    const desk = bench.start()
    await desk.inject(request('f-1', 1000, jam))
    const part = (value: unknown) => request('f-2', 1000, value as FaultPart)
    const refusals: [unknown, RegExp][] = [
      [null, /id is undefined/],
      [request('x', 1, jam), /id is "x"/],
      [request('f-1', 1, jam), /id is "f-1"; expected an id that no fault has/],
      [request('f-2', 0, jam), /forMs is 0/],
      [request('f-2', 3_600_001, jam), /forMs is 3600001/],
      [{ ...request('f-2', 1), text: 'x'.repeat(1001) }, /text is/],
      [{ ...request('f-2', 1), nodes: ['n 1'] }, /nodes is "n 1"/],
      [{ ...request('f-2', 1), parts: 'all' }, /parts is "all"/],
      [part(null), /parts.at is undefined/],
      [part({ at: 'moon' }), /parts.at is "moon"/],
      [part({ at: 'node', action: 'melt' }), /parts.action is "melt"/],
      [
        part({ at: 'links', effect: { links: 'some', effect: { kind: 'link', mode: 'jam' } } }),
        /parts.links/,
      ],
      [part({ at: 'links', effect: { links: 'all', effect: null } }), /fault is null/],
      [part({ at: 'store', effect: { mode: 'bit-flip' } }), /parts.mode is "bit-flip"/],
      [part({ at: 'store', effect: null }), /fault.mode is undefined/],
      [part({ at: 'clock', effect: { mode: 'bump' } }), /fault.byMs is undefined/],
      [part({ at: 'heap', effect: { percent: 101 } }), /fault.percent is 101/],
      [part({ at: 'failpoints', effect: { name: 'start', term: 'x' } }), /fault.term is "x"/],
      [part({ at: 'disk', effect: { mode: 'slow', timeMs: 1 } }), /parts.mode is "slow"/],
    ]
    for (const [given, expected] of refusals) {
      const isRefused = (error: unknown): boolean =>
        RaftError.is(error, 'INVALID_OPTIONS') && expected.test(error.message)
      await assert.rejects(desk.inject(given), isRefused, String(expected))
    }
    assert.deepEqual(idsOf(desk), ['f-1'])
  }))
