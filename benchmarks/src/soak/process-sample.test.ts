import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sampleProcess } from './process-sample.ts'

test('counts open files, and the disk of those that are unlinked', (t) => {
  const before = sampleProcess()
  if (before.unlinkedFiles === null) return t.skip('this system does not tell')
  const directory = mkdtempSync(join(tmpdir(), 'troupe-files-'))
  const file = openSync(join(directory, 'file'), 'w')
  try {
    writeSync(file, Buffer.alloc(1 << 20, 1))
    rmSync(directory, { recursive: true })
    const after = sampleProcess()
    assert.equal((after.openFiles ?? 0) - (before.openFiles ?? 0), 1)
    assert.equal((after.unlinkedFiles ?? 0) - before.unlinkedFiles, 1)
    assert.ok((after.unlinkedBytes ?? 0) - (before.unlinkedBytes ?? 0) >= 1 << 20)
    assert.ok((after.threads ?? 0) > 1 && after.privateBytes > 1 << 20)
  } finally {
    closeSync(file)
  }
})
