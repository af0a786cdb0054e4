import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { KeptFaults } from './kept-faults.ts'

const directory = mkdtempSync(join(tmpdir(), 'troupe-kept-'))
after(() => rmSync(directory, { recursive: true }))

test('what is over while a node is down is taken out, the rest keeps its end', () => {
  let nowMs = 1000
  const kept = new KeptFaults(directory, () => nowMs)
  const request = (id: string) => ({ id, text: 'stalled disk', nodes: ['n1'], forMs: 5000, parts: [] })
  kept.write(['f-1', 'f-2'].map((id) => ({ request: request(id), leftMs: 5000 })))
  nowMs += 2000
  kept.drop(['f-1', 'f-9'])
  assert.deepEqual(
    kept.read().map(({ id, forMs }) => [id, forMs]),
    [['f-2', 3000]],
  )
  nowMs += 2999
  assert.equal(kept.read()[0]?.forMs, 1)
  kept.drop(['f-2'])
  assert.ok(!existsSync(join(directory, 'faults.json')))
  kept.drop(['f-2'])
})
