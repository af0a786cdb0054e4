import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster } from '@troupe/cluster'
import { proveQueueOf } from './proof.ts'
import { proveCommand, verdictOf } from './prove.ts'

const nothing = {
  ...{ redelivered: 0, late: 0, lost: 0, unexpected: 0 },
  ...{ enqueuedTwice: 0, assignedAfterAck: 0, overtaken: 0 },
}
const clean = { findings: nothing, isDrained: true, areEqual: true }

test('messages that come again before their ack break nothing, all else does', () => {
  assert.equal(verdictOf({ ...clean, findings: { ...nothing, redelivered: 9, late: 1 } }), 'pass')
  for (const field of ['lost', 'unexpected', 'enqueuedTwice', 'assignedAfterAck', 'overtaken'])
    assert.equal(verdictOf({ ...clean, findings: { ...nothing, [field]: 1 } }), 'fail')
  assert.equal(verdictOf({ ...clean, areEqual: false }), 'fail')
})

test('a queue that was not emptied says nothing of what is lost', () => {
  assert.equal(verdictOf({ ...clean, isDrained: false }), 'unknown')
  assert.equal(verdictOf({ ...clean, areEqual: undefined }), 'unknown')
  assert.equal(verdictOf({ ...clean, isDrained: false, areEqual: false }), 'fail')
})

test('a cluster that takes nothing any more shows nothing: exit code 2', { timeout: 300_000 }, async () => {
  const cluster = await Cluster.start({ machine: 'queue' })
  try {
    const crash = async (): Promise<void> => {
      for (const id of cluster.ids.slice(1)) await cluster.crash(id)
    }
    const written: string[] = []
    const stream = { write: (text: string) => void written.push(text) }
    const { signal } = new AbortController()
    const context = { stdout: stream, stderr: stream, env: {}, signal }
    const args = ['--messages', '100', '--drain', '0', '--fault-every', '0']
    const code = await proveCommand(args, context, (settings) => proveQueueOf(cluster, settings, crash))
    assert.equal(code, 2, written.join(''))
    assert.match(written.join(''), /unknown: the queue was not emptied in time/)
  } finally {
    await cluster.stop()
  }
})
