/**
 * Files that users name, as text: within a bound that is looked at before anything is read. A file of a gigabyte would fill the
 * memory first, and be found too large then.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { RaftError } from '@troupe/core'

/** The largest table, manifest or file of messages. */
export const MAX_INPUT_BYTES = 64 << 20

const PIECE_BYTES = 1 << 20

/** What is read: a path, or 0, stdin. */
export type NamedFile = string | 0

/**
 * Looks at a file before anything is begun.
 * @param field what it was named by, for the error
 * @param maxBytes @default MAX_INPUT_BYTES
 * @throws RaftError INVALID_OPTIONS with file, size and limit where it is larger, or cannot be read
 */
export function checkBoundedFile(path: string, field: string, maxBytes = MAX_INPUT_BYTES): void {
  const { size } = orUnreadable(path, field, () => statSync(path))
  if (size > maxBytes) throw tooLarge(path, field, `${size} bytes`, maxBytes)
}

/**
 * The text of a file.
 * @param field what it was named by, for the error
 * @param maxBytes @default MAX_INPUT_BYTES
 * @throws RaftError INVALID_OPTIONS with file, size and limit where it is larger, or cannot be read
 */
export function readBoundedText(file: NamedFile, field: string, maxBytes = MAX_INPUT_BYTES): string {
  if (file === 0) return textOf(0, 'stdin', field, maxBytes)
  const descriptor = orUnreadable(file, field, () => openSync(file, 'r'))
  try {
    return textOf(descriptor, file, field, maxBytes)
  } finally {
    closeSync(descriptor)
  }
}

function textOf(descriptor: number, name: string, field: string, maxBytes: number): string {
  const { size } = orUnreadable(name, field, () => fstatSync(descriptor))
  if (size > maxBytes) throw tooLarge(name, field, `${size} bytes`, maxBytes)
  const pieces: Buffer[] = []
  let total = 0
  for (;;) {
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    const count = orUnreadable(name, field, () => readSync(descriptor, piece, 0, PIECE_BYTES, null))
    if (count === 0) return Buffer.concat(pieces, total).toString('utf8')
    total += count
    // What is no file, a pipe, has no size before it is read.
    if (total > maxBytes) throw tooLarge(name, field, `more than ${maxBytes} bytes`, maxBytes)
    pieces.push(piece.subarray(0, count))
  }
}

function orUnreadable<Value>(name: string, field: string, use: () => Value): Value {
  try {
    return use()
  } catch (error) {
    const expected = `a file that can be read (${(error as NodeJS.ErrnoException).code})`
    throw refused(field, name, expected, `${field} is ${JSON.stringify(name)}; expected ${expected}`)
  }
}

function tooLarge(name: string, field: string, size: string, maxBytes: number): RaftError {
  const expected = `at most ${maxBytes} bytes`
  return refused(field, size, expected, `${field}: ${name} is ${size}; expected ${expected}`)
}

const refused = (field: string, value: string, expected: string, message: string): RaftError =>
  new RaftError('INVALID_OPTIONS', message, { field, value, expected })
