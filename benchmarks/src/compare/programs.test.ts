import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { findProgram, missingOf } from './programs.ts'

const needs = { programs: ['a-server'], debianPackage: 'a-package', libraries: ['a-library'] }
const finders = (program: boolean, library: boolean) => ({
  hasProgram: () => program,
  hasLibrary: () => library,
})

test('whoever has everything misses nothing', () => {
  assert.equal(missingOf(needs, finders(true, true)), undefined)
  assert.equal(missingOf({ programs: [], libraries: [] }, finders(false, false)), undefined)
})

test('what is missing is told with the commands that install it, and no others', () => {
  assert.deepEqual(missingOf(needs, finders(false, true)), {
    what: 'a-server',
    install: 'apt-get install a-package',
  })
  const library = missingOf(needs, finders(true, false))
  assert.match(library?.install ?? '', /^npm install --prefix \S*peers$/)
  const both = missingOf(needs, finders(false, false))
  assert.equal(both?.what, 'a-server, a-library')
  assert.match(both?.install ?? '', /^apt-get install a-package && npm install --prefix \S*peers$/)
})

test('a program is found in the first folder that has an executable file of its name', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-programs-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'a-server-of-ours')
  const path = ['', join(directory, 'none'), directory].join(delimiter)
  assert.equal(findProgram('a-server-of-ours', path), undefined)
  writeFileSync(file, '')
  chmodSync(file, 0o600)
  assert.equal(findProgram('a-server-of-ours', path), undefined)
  chmodSync(file, 0o700)
  assert.equal(findProgram('a-server-of-ours', path), file)
})
