import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  EntryKind,
  type PersistRequest,
  type SnapshotMeta,
  type SnapshotStore,
  seededRandom,
} from '@troupe/core'
import { NodeFailpoints } from './node-failpoints.ts'
import { FAILPOINTS, type FailpointName } from './vocabulary.ts'

/** Writes down what happens, in order. */
function observed(terms: Partial<Record<FailpointName, string>>) {
  const seen: string[] = []
  const failpoints = new NodeFailpoints({
    random: seededRandom(1),
    sleep: (ms) => seen.push(`sleep ${ms}`),
    die: (name) => {
      throw new Error(`dead at ${name}`)
    },
    print: (name, value) => seen.push(`${name}: ${value}`),
    failWrite: () => seen.push('write fails'),
  })
  Object.entries(terms).forEach(([name, term], id) => {
    failpoints.add(id, { name: name as FailpointName, term })
  })
  return { seen, failpoints }
}

const everywhere = Object.fromEntries(FAILPOINTS.map((name) => [name, 'print("x")']))

test('each place is come to before or after what it is named after', () => {
  const { seen, failpoints } = observed(everywhere)
  const store = { persist: (_: PersistRequest) => void seen.push('saved') }
  failpoints.saving(store)
  store.persist({ token: 1, compactTo: { index: 4, term: 1 } } as PersistRequest)
  for (const token of [0, 1, 2]) failpoints.saved(token)
  const loader = { chunk: () => {}, end: () => void seen.push('installed') }
  const application = { apply: () => void seen.push('applied'), load: () => loader }
  failpoints.applying(application as never)
  ;(application.apply as (entries: unknown) => void)([])
  ;(application.apply as (entries: unknown) => void)([{ kind: EntryKind.configuration }])
  ;(application.load as unknown as (position: unknown) => typeof loader)({}).end()
  const snapshots = { finish: () => void seen.push('finished') }
  failpoints.snapshots(snapshots as unknown as SnapshotStore)
  ;(snapshots.finish as (meta: unknown) => void)({})
  const events = failpoints.snapshotEvents({
    onSnapshotSaved: () => void seen.push('told'),
    onSnapshotReceived: () => void seen.push('told of it'),
    onFailed: () => {},
  })
  events.onSnapshotSaved({} as SnapshotMeta)
  events.onSnapshotReceived({} as SnapshotMeta)
  assert.deepEqual(seen, [
    'before-save: x',
    'before-compact: x',
    'saved',
    'after-save: x',
    'after-save: x',
    'after-compact: x',
    'after-save: x',
    'before-apply: x',
    'applied',
    'after-apply: x',
    'before-apply: x',
    'before-change: x',
    'applied',
    'after-apply: x',
    'after-change: x',
    'before-install: x',
    'installed',
    'after-install: x',
    'before-snapshot: x',
    'finished',
    'after-snapshot: x',
    'told',
    'after-receive: x',
    'told of it',
  ])
})

test('a place does what its terms say, of several faults each its own, until they are over', () => {
  const { seen, failpoints } = observed({ start: '1*off->sleep(5)' })
  failpoints.add(9, { name: 'start', term: '2*return("EIO")' })
  for (let visit = 0; visit < 3; visit++) failpoints.reached('start')
  assert.deepEqual(seen, ['write fails', 'sleep 5', 'write fails', 'sleep 5'])
  failpoints.add(10, { name: 'start', term: 'panic' })
  assert.throws(() => failpoints.reached('start'), /dead at start/)
  for (const id of [0, 9, 10]) failpoints.remove(id)
  failpoints.reached('start')
  assert.deepEqual(seen.slice(4), ['sleep 5', 'start: panic'])
})
