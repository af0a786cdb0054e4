/** The proof of the queue, as a user runs it, at a small size: `troupe queue prove --messages 1000000` is the large one. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isFull } from './support.ts'
import { TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
after(() => command.remove())

describe('troupe queue prove', () => {
  test('loses nothing and delivers nothing after its ack, through crashes, partitions, pauses and restarts', async () => {
    const path = join(command.scratch, 'proof.json')
    const messages = isFull ? 200_000 : 10_000
    const args = ['--messages', String(messages), '--fault-every', isFull ? '2000' : '400', '--json', path]
    const { code, stdout, left } = await command.run('queue', 'prove', ...args)
    assert.equal(code, 0, stdout)
    assert.deepEqual(left, [])
    const { verdict, sent, acked, findings, faults, isDrained, areEqual } = JSON.parse(
      readFileSync(path, 'utf8'),
    )
    assert.deepEqual([verdict, sent, isDrained, areEqual], ['pass', messages, true, true])
    // Of some acks nobody knows whether they took place; the machine has counted them.
    assert.ok(acked > 0 && acked <= messages, stdout)
    const { redelivered, late: _late, ...broken } = findings
    assert.ok(redelivered > 0, 'nothing was ever delivered again: then nothing is proven')
    assert.deepEqual(Object.values(broken), [0, 0, 0, 0, 0])
    assert.ok(Object.keys(faults).length > 0, stdout)
  })
})
