import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { describeFileSystem } from './file-system.ts'

const onLinux = { skip: process.platform === 'linux' ? false : 'needs Linux' }

test('memory is told from a disk', { skip: existsSync('/dev/shm') ? false : 'no /dev/shm here' }, () => {
  assert.deepEqual(describeFileSystem('/dev/shm'), { type: 'tmpfs', durable: false })
})

test('the nearest mount point decides', onLinux, () => {
  assert.equal(describeFileSystem('/proc/self').type, 'proc')
})

test('a path that does not exist yet is where its nearest parent is', () => {
  const parent = describeFileSystem(tmpdir())
  assert.deepEqual(describeFileSystem(join(tmpdir(), 'not', 'there', 'yet')), parent)
})
