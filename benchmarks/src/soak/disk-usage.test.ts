import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { diskUsage } from './disk-usage.ts'

const KIB = 1024

test('log, snapshots and the rest of a node, in blocks that are really taken', (t) => {
  const node = mkdtempSync(join(tmpdir(), 'troupe-usage-'))
  t.after(() => rmSync(node, { recursive: true }))
  for (const segment of ['000000000001', '000000000002']) {
    mkdirSync(join(node, 'log/0', segment), { recursive: true })
    writeFileSync(join(node, 'log/0', segment, 'data.mdb'), Buffer.alloc(64 * KIB, 1))
  }
  writeFileSync(join(node, 'log/0/witness'), 'x')
  mkdirSync(join(node, 'snapshots/0'), { recursive: true })
  writeFileSync(join(node, 'snapshots/0/snapshot'), Buffer.alloc(256 * KIB, 1))
  writeFileSync(join(node, 'identity.json'), '{}')
  const usage = diskUsage(node)
  assert.equal(usage.segments, 2)
  // Blocks and directories add some; what that is the file system decides.
  assert.ok(usage.logBytes >= 128 * KIB && usage.logBytes < 200 * KIB, `${usage.logBytes}`)
  assert.ok(usage.snapshotBytes >= 256 * KIB && usage.snapshotBytes < 300 * KIB, `${usage.snapshotBytes}`)
  assert.ok(usage.otherBytes < 64 * KIB)
})

test('a directory that is not there takes nothing', () => {
  const nothing = { logBytes: 0, snapshotBytes: 0, otherBytes: 0, segments: 0 }
  assert.deepEqual(diskUsage(join(tmpdir(), 'troupe-no-such-node')), nothing)
})
