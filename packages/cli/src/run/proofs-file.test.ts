import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { keepProofs, type Proof } from './proofs-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'troupe-proofs-'))
after(() => rmSync(folder, { recursive: true }))

const proof = (file: string, more: Partial<Proof> = {}): Proof => ({
  ...{ file: `test/scenarios/${file}`, name: file, slip: 'no-log-check', isProven: true, how: 'h', runs: 1 },
  ...more,
})

test('what broke a file takes the place of what broke it before; rows of other files stay, in the order of files', () => {
  const table = join(folder, 'proofs.md')
  keepProofs(table, [proof('b.yaml'), proof('a.yaml', { slip: undefined })])
  keepProofs(table, [proof('b.yaml', { how: 'better', runs: 7 })])
  const kept = JSON.parse(readFileSync(join(folder, 'proofs.json'), 'utf8')) as Proof[]
  assert.deepEqual(
    kept.map(({ file, how, runs }) => [file, how, runs]),
    [
      ['a.yaml', 'h', 1],
      ['b.yaml', 'better', 7],
    ],
  )
  const text = readFileSync(table, 'utf8')
  assert.match(text, /\| b\.yaml +\| no-log-check +\| better +\| 7 +\|/)
  assert.match(text, /\| a\.yaml +\| options +\| h/)
})
