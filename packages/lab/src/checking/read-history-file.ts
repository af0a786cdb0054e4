/** Reads a file of a history in pieces, line by line, within a bound on its size. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { HistoryProblem, HistoryReader, type NamedModel, type RecordedHistory } from '@troupe/check'
import { invalidOption, RaftError, show } from '@troupe/core'

const MIB = 1 << 20
const CHUNK_BYTES = MIB
const MAX_LINE_LENGTH = 64 * MIB

/** Told how much of the file is read, from 0 to 1, and how many operations there are so far. */
export type OnRead = (share: number, operationCount: number) => void

/**
 * Looks at a file before anything is begun.
 * @throws RaftError INVALID_OPTIONS where it cannot be read, is empty or too large
 */
export function checkHistoryFile(path: string, maxBytes: number): void {
  let size: number
  try {
    const stat = statSync(path)
    if (stat.isDirectory()) throw invalidOption('FILE', path, 'a file, not a directory')
    if (!stat.isFile()) return
    size = stat.size
  } catch (error) {
    if (error instanceof RaftError) throw error
    throw invalidOption('FILE', path, `a file that can be read (${(error as NodeJS.ErrnoException).code})`)
  }
  if (size === 0) throw invalidOption('FILE', path, 'a history; this file is empty')
  if (size > maxBytes) throw tooLarge(path, `${Math.ceil(size / MIB)} MiB`, maxBytes)
}

function tooLarge(path: string, size: string, maxBytes: number): RaftError {
  const most = `at most ${Math.floor(maxBytes / MIB)} MiB; --max-mb raises it, and takes memory: about six times the file`
  const message = `${path} is ${size}; expected ${most}`
  return new RaftError('INVALID_OPTIONS', message, { field: 'FILE', value: size, expected: most })
}

/**
 * Reads a history. Nothing of the file is kept but its operations.
 * @throws RaftError INVALID_OPTIONS that names file, line, field, value and what is expected
 */
export function readHistoryFile(
  path: string,
  model: NamedModel,
  maxBytes: number,
  onRead: OnRead = () => {},
): RecordedHistory {
  const reader = new HistoryReader(model)
  try {
    for (const line of linesOf(path, maxBytes, (share) => onRead(share, reader.operationCount)))
      reader.line(line)
    return reader.end()
  } catch (error) {
    if (!(error instanceof HistoryProblem)) throw error
    const { line, field, value, expected } = error
    const place = line === 0 ? path : `${path}:${line}`
    const what = value === undefined ? 'is missing' : `is ${shown(value)}`
    throw new RaftError('INVALID_OPTIONS', `${place}: ${field} ${what}; expected ${expected}`, {
      field,
      value: shown(value),
      expected,
    })
  }
}

/** Lists too, as they stand in the file. */
function shown(value: unknown): string {
  const text = typeof value === 'object' && value !== null ? (JSON.stringify(value) ?? '') : show(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

function* linesOf(path: string, maxBytes: number, onShare: (share: number) => void): Generator<string> {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    const decoder = new StringDecoder('utf8')
    let rest = ''
    let total = 0
    for (;;) {
      const count = readSync(file, buffer, 0, CHUNK_BYTES, null)
      if (count === 0) break
      total += count
      // What is no file has no size before it is read.
      if (total > maxBytes) throw tooLarge(path, 'larger', maxBytes)
      const lines = (rest + decoder.write(buffer.subarray(0, count))).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > MAX_LINE_LENGTH)
        throw invalidOption(path, 'a line longer than 64 MiB', 'one line an event')
      yield* lines
      onShare(size > 0 ? Math.min(1, total / size) : 0)
    }
    rest += decoder.end()
    if (rest !== '') yield rest
  } finally {
    closeSync(file)
  }
}
