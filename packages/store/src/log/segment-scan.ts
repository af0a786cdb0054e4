/** Reads one segment as it stands on the disk, without LMDB: what it says of itself, and which of its entries are whole. */
import { existsSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import {
  decodeEntry,
  entryIsIntact,
  type HardState,
  type IndexRange,
  type LogPosition,
  recordFollows,
} from '@troupe/core'
import { dataFileOf } from '../lmdb-database.ts'
import { readLmdbFile } from '../lmdb-file/read-lmdb-file.ts'
import { storageDamaged } from '../storage-errors.ts'
import {
  BASE_KEY,
  decodeHardState,
  decodeHeader,
  decodePosition,
  HARD_STATE_KEY,
  HEADER_KEY,
  indexOfKey,
  isKey,
  LOG_FORMAT,
  type LogOwner,
  type SegmentHeader,
} from './segment-records.ts'

/** The head of a record: enough to see whether another follows on it. */
export interface RecordHead {
  readonly index: number
  readonly term: number
  readonly head: Uint8Array
}

export interface ScannedSegment {
  readonly sequence: number
  readonly path: string
  /** Undefined where it has none that can be read, or is another log's: then nothing else here is to be trusted either. */
  readonly header: SegmentHeader | undefined
  /** It was made ahead, and nothing was written to it. */
  readonly isUnused: boolean
  /** There is no data file, or nothing in it: as LMDB leaves it where it was killed while it made one. */
  readonly isBlank: boolean
  /** Whether LMDB may open it. */
  readonly isSound: boolean
  readonly problems: readonly string[]
  readonly hardState: HardState | undefined
  readonly base: LogPosition | undefined
  /** Entries that are whole and follow on each other, ascending. */
  readonly whole: readonly IndexRange[]
  /** The first and the last of them. */
  readonly first: RecordHead | undefined
  readonly last: RecordHead | undefined
  /** The highest index that has a record, whole or not; 0 where there is none. */
  readonly lastKey: number
  /** Record bytes and entries in it, also damaged ones. */
  readonly bytes: number
  readonly entryCount: number
}

/** Its owner may be writing to it, where a tool looks at a running node's log. */
const ATTEMPTS = 5

/** Enough of a record for {@link recordFollows}. */
const HEAD_BYTES = 64

/**
 * @param upTo entries behind it count for nothing: a later segment begins there
 * @param owner whose log it has to be; undefined: anybody's
 * @param visit called with each whole entry's record, in order; the view is valid during the call
 * @throws RaftError STORAGE_DAMAGED where it is of another format; STORAGE_FAILED where it cannot be read
 */
export function scanSegment(
  path: string,
  sequence: number,
  owner: LogOwner | undefined,
  upTo: number,
  visit?: (index: number, record: Uint8Array) => void,
): ScannedSegment {
  const dataFile = dataFileOf(path)
  if (!existsSync(dataFile)) return { ...NOTHING, sequence, path, isBlank: true, problems: [] }
  let scan = new SegmentScan(upTo, visit)
  const file = readLmdbFile(dataFile, (key, value) => scan.item(key, value), {
    attempts: ATTEMPTS,
    onRestart: () => {
      scan = new SegmentScan(upTo, visit)
    },
  })
  if (file.kind === 'empty-file') return { ...NOTHING, sequence, path, isBlank: true, problems: [] }
  const problems = [...file.damage.map(({ page, reason }) => `page ${page}: ${reason}`), ...scan.problems]
  const { header } = scan
  if (header !== undefined && header.format !== LOG_FORMAT) {
    throw storageDamaged(path, `it has format ${header.format}, this version reads ${LOG_FORMAT}`)
  }
  const stranger = header && whyForeign(header, sequence, owner)
  if (stranger !== undefined) return { ...NOTHING, sequence, path, problems: [...problems, stranger] }
  return {
    sequence,
    path,
    header,
    isUnused: problems.length === 0 && file.entryCount === 0,
    isBlank: false,
    isSound: file.damage.length === 0,
    problems,
    hardState: scan.hardState,
    base: scan.base,
    whole: scan.whole,
    first: scan.first,
    last: scan.last,
    lastKey: scan.lastKey,
    bytes: scan.bytes,
    entryCount: scan.entryCount,
  }
}

/** What is to be taken from another log's segment. */
const NOTHING = {
  header: undefined,
  isUnused: false,
  isBlank: false,
  isSound: false,
  hardState: undefined,
  base: undefined,
  whole: [],
  first: undefined,
  last: undefined,
  lastKey: 0,
  bytes: 0,
  entryCount: 0,
} as const

function whyForeign(
  header: SegmentHeader,
  sequence: number,
  owner: LogOwner | undefined,
): string | undefined {
  if (header.sequence !== sequence) return `it is segment ${header.sequence}`
  if (owner === undefined) return undefined
  for (const field of ['clusterId', 'group', 'nodeId', 'incarnation'] as const) {
    if (header.owner[field] !== owner[field]) return `it belongs to ${field} ${header.owner[field]}`
  }
  return undefined
}

class SegmentScan {
  header: SegmentHeader | undefined
  hardState: HardState | undefined
  base: LogPosition | undefined
  readonly problems: string[] = []
  readonly whole: { from: number; to: number }[] = []
  first: RecordHead | undefined
  last: RecordHead | undefined
  lastKey = 0
  bytes = 0
  entryCount = 0
  readonly #upTo: number
  readonly #visit: ((index: number, record: Uint8Array) => void) | undefined

  constructor(upTo: number, visit: ((index: number, record: Uint8Array) => void) | undefined) {
    this.#upTo = upTo
    this.#visit = visit
  }

  item(key: Uint8Array, value: Uint8Array): void {
    const index = indexOfKey(key)
    if (index !== undefined) this.#entry(index, value)
    else if (isKey(key, HEADER_KEY)) this.header = this.#known('header', decodeHeader(value))
    else if (isKey(key, HARD_STATE_KEY)) this.hardState = this.#known('hard state', decodeHardState(value))
    else if (isKey(key, BASE_KEY)) this.base = this.#known('base', decodePosition(value))
    else this.problems.push(`an unknown key of ${key.byteLength} bytes`)
  }

  #known<T>(what: string, value: T | undefined): T | undefined {
    if (value === undefined) this.problems.push(`the ${what} does not fit its checksum`)
    return value
  }

  #entry(index: number, record: Uint8Array): void {
    this.entryCount++
    this.bytes += record.byteLength
    if (index > this.#upTo) return
    this.lastKey = index
    const reason = whyDamaged(index, record)
    if (reason !== undefined) {
      this.problems.push(`entry ${index} ${reason}`)
      return
    }
    const { last } = this
    if (last?.index === index - 1 && !recordFollows(record, last.head)) {
      this.problems.push(`entry ${index} does not follow on the one before it`)
      return this.#breakBefore(index, record)
    }
    this.#take(index, record)
    this.#visit?.(index, record)
  }

  #take(index: number, record: Uint8Array): void {
    const range = this.whole.at(-1)
    if (range?.to === index - 1) range.to = index
    else this.whole.push({ from: index, to: index })
    this.last = headOf(index, record)
    this.first ??= this.last
  }

  /** Which of the two is the wrong one cannot be told: neither counts, but the next may follow on the second. */
  #breakBefore(index: number, record: Uint8Array): void {
    const range = this.whole.at(-1)
    if (range?.to === index - 1) range.to -= 1
    if (range !== undefined && range.to < range.from) this.whole.pop()
    if (this.first?.index === index - 1) this.first = undefined
    this.last = headOf(index, record)
  }
}

function headOf(index: number, record: Uint8Array): RecordHead {
  const head = new Uint8Array(HEAD_BYTES)
  head.set(record.subarray(0, HEAD_BYTES))
  return { index, term: new DataView(head.buffer).getFloat64(16, true), head }
}

function whyDamaged(index: number, record: Uint8Array): string | undefined {
  const entry = decodeEntry(record)
  if (entry === undefined) return 'has no valid header'
  if (!entryIsIntact(record, crc32)) return 'does not fit its checksum'
  return entry.index === index ? undefined : `says it is ${entry.index}`
}
