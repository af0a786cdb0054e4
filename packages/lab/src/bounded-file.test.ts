import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { RaftError } from '@troupe/core'
import { checkBoundedFile, MAX_INPUT_BYTES, readBoundedText } from './bounded-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'troupe-bounded-'))
after(() => rmSync(folder, { recursive: true }))

function fileOf(name: string, text: string, bytes?: number): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  if (bytes !== undefined) truncateSync(file, bytes)
  return file
}

/** What an error says, where it is the one that is meant. */
function refusalOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert.ok(RaftError.is(error, 'INVALID_OPTIONS'))
    return error.message
  }
  return assert.fail('it was taken')
}

describe('a file that a user names', () => {
  test('is read whole, in whatever pieces its characters lie', () => {
    const text = `${'ä€'.repeat(300_000)}\n`
    assert.equal(readBoundedText(fileOf('text', text), '--file'), text)
  })

  test('of a gigabyte is refused before it is read, with file, size and limit', () => {
    const file = fileOf('large', 'name: a\n', 2 ** 30)
    const told = `--file: ${file} is 1073741824 bytes; expected at most ${MAX_INPUT_BYTES} bytes`
    assert.equal(
      refusalOf(() => readBoundedText(file, '--file')),
      told,
    )
    assert.equal(
      refusalOf(() => checkBoundedFile(file, '--file')),
      told,
    )
  })

  test('may be as large as the limit, and not one byte more', () => {
    const file = fileOf('four', 'four')
    assert.equal(readBoundedText(file, '--file', 4), 'four')
    assert.match(
      refusalOf(() => readBoundedText(file, '--file', 3)),
      /four is 4 bytes; expected at most 3 bytes/,
    )
  })

  test('that cannot be read is told as such', () => {
    const none = join(folder, 'none')
    assert.match(
      refusalOf(() => readBoundedText(none, 'FILE')),
      /^FILE is ".*none"; expected a file that can be read \(ENOENT\)$/,
    )
    assert.match(
      refusalOf(() => readBoundedText(folder, 'FILE')),
      /\(EISDIR\)$/,
    )
  })
})
