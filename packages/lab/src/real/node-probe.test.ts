import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ObservedNode } from '@troupe/cluster'
import { type Application, EntryKind, encodeEntry } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import { NodeProbe } from './node-probe.ts'
import type { Chunk } from './records.ts'

const noop = encodeEntry(
  { index: 1, term: 1, kind: EntryKind.noop, timeMs: 1, commandCount: 0, configurationIndex: 0 },
  [],
  () => 0,
)

/** A leader that has just committed its first entry, and what its probe tells. */
function leading() {
  const chunks: Chunk[] = []
  const probe = new NodeProbe({ tell: (chunk) => chunks.push(chunk), next: () => 1, nowMs: () => 1 })
  const core = {
    role: 'leader',
    term: 1,
    commitIndex: 1,
    progress: new Map(),
    metrics: {},
    leaseIndex: () => 0,
  }
  const store = { base: { index: 0, term: 0 }, lastIndex: 0, damaged: [], read: () => [] }
  const settings = { identity: { incarnation: 1, boot: 1 } }
  const rest = { driver: {}, snapshots: {}, nowMs: () => 1, framesLost: () => 0 }
  probe.opened({ core, store, settings, ...rest } as unknown as ObservedNode)
  chunks.length = 0
  const application = probe.application({ apply: () => {} } as unknown as Application<ClientEvent>)
  return { probe, application, chunks }
}

test('who dies while it applies tells what is committed: it may be the only one that knows', () => {
  const { probe, application, chunks } = leading()
  application.apply([noop])
  probe.ending('before-change')
  const [{ state, records }] = chunks as [Chunk]
  assert.equal(state?.commitIndex, 1)
  assert.deepEqual(
    records.map(({ kind }) => kind),
    ['applied', 'ended'],
  )
})

test('who dies before its turn is handed to the disk tells nothing of what that has changed', () => {
  const { probe, chunks } = leading()
  probe.ending('before-save')
  assert.deepEqual(chunks, [
    { number: 1, atMs: 1, state: undefined, records: [{ kind: 'ended', at: 'before-save' }] },
  ])
})
