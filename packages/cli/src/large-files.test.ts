/** A file of a gigabyte, wherever a command takes one: refused by its size, before it is read and before anything is begun. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { troupe } from './in-process.fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'troupe-large-'))
const directory = join(folder, 'queue')
const [yaml, csv, lines] = ['large.yaml', 'large.csv', 'large.jsonl'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
]
const small = join(folder, 'small.yaml')

before(() => {
  for (const file of [yaml, csv, lines]) {
    writeFileSync(file, '')
    // Without a single block on the disk.
    truncateSync(file, 2 ** 30)
  }
  writeFileSync(small, 'kind: NetworkChaos\n')
  for (const table of [csv, yaml])
    writeFileSync(`${table}.yaml`, `name: a\nparameters: { file: ${table} }\nphases: [{ wait: 1s }]\n`)
})
after(() => rmSync(folder, { recursive: true, force: true }))

describe('a file of 1 GiB is refused with its name, its size and the limit', () => {
  const nowhere = ['--connect', '127.0.0.1:1']
  const commands: readonly (readonly [args: readonly string[], file: string])[] = [
    [['run', yaml], yaml],
    [['run', `${csv}.yaml`], csv],
    [['run', `${yaml}.yaml`], yaml],
    [['fault', 'apply', yaml, ...nowhere], yaml],
    [['fault', 'apply', small, '--pods', yaml, ...nowhere], yaml],
    [['queue', 'send', 'jobs', '--file', lines, '--directory', directory], lines],
    [['sim', 'replay', yaml], yaml],
  ]
  for (const [args, file] of commands) {
    test(args.join(' ').replaceAll(`${folder}/`, ''), async () => {
      const { code, stderr, stdout } = await troupe(...args)
      assert.equal(code, 64, stderr)
      assert.ok(stderr.includes(file), stderr)
      assert.match(stderr, /1073741824 bytes"?; expected at most \d+ bytes/)
      assert.equal(stdout, '', 'nothing was run')
      assert.equal(existsSync(directory), false, 'no queue was made')
    })
  }
})
