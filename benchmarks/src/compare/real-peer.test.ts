/** One comparison for real, with the peer that costs least: etcd, which needs no client library. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { valuesOf } from '../in-process.fixture.ts'
import { choosePeers, compareCommand } from './compare.ts'

const [etcd] = choosePeers('etcd')
const lacks = etcd?.missing()
const skip = lacks === undefined ? false : `${lacks.what} not found; ${lacks.install}`

test('three nodes of a real peer take the load beside ours, and all of it is there', { skip }, async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'troupe-compare-'))
  t.after(() => rmSync(scratch, { recursive: true, force: true }))
  const [json, markdown] = [join(scratch, 'compare.json'), join(scratch, 'compare.md')]
  const written = { out: '', err: '' }
  const context = {
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
    env: {},
    signal: new AbortController().signal,
  }
  const load = {
    window: [1, 16],
    seconds: 0.3,
    'warmup-seconds': 0.1,
    repeat: 1,
    size: 64,
    keys: 500,
    seed: 1,
  }
  const code = await compareCommand.run(
    valuesOf(compareCommand, { peers: 'etcd', ...load, data: join(scratch, 'data'), json, markdown }),
    context,
  )
  assert.equal(code, 0, written.err)
  const { headline, contestants, verdict } = JSON.parse(readFileSync(json, 'utf8'))
  assert.equal(verdict, 'pass')
  assert.deepEqual(
    contestants.map(({ name, kind, isDurable }: Record<string, unknown>) => `${name} ${kind} ${isDurable}`),
    ['troupe-tcp measured true', 'troupe measured true', 'etcd measured true'],
  )
  assert.deepEqual(
    headline.rows.map(({ window, contestant }: Record<string, unknown>) => `${window} ${contestant}`),
    ['1 troupe-tcp', '1 troupe', '1 etcd', '16 troupe-tcp', '16 troupe', '16 etcd'],
  )
  for (const { opsPerSecond, lost, duplicated, unknown } of headline.rows) {
    assert.ok(opsPerSecond > 0)
    assert.deepEqual([lost, duplicated, unknown], [0, 0, 0])
  }
  assert.match(written.out, /etcd \d+\.\d+\.\d+\n {2}acknowledged: durable/)
  assert.match(readFileSync(markdown, 'utf8'), /\| 16 \| etcd \| TCP, loopback \| yes \|/)
  assert.deepEqual(readdirSync(join(scratch, 'data')).sort(), ['etcd', 'troupe', 'troupe-tcp'])
})
