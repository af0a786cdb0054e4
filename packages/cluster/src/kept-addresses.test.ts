import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { KeptAddresses } from './kept-addresses.ts'

test('addresses are there again after a start; a damaged file is none', () => {
  const path = mkdtempSync(join(tmpdir(), 'troupe-kept-'))
  try {
    const kept = new KeptAddresses(path)
    kept.set('n4', { host: 'four', port: 4 })
    kept.set('n5', { host: '::1', port: 5 })
    kept.delete('n4')
    assert.deepEqual([...new KeptAddresses(path).all], [['n5', { host: '::1', port: 5 }]])
    writeFileSync(join(path, 'addresses.json'), '{"n5":')
    assert.deepEqual([...new KeptAddresses(path).all], [])
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
})
