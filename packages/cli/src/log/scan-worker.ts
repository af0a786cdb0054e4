/** The thread of {@link scanInThread}: scans the log that `workerData` names, and posts what it found. */
import { parentPort, workerData } from 'node:worker_threads'
import {
  type Configuration,
  decodeConfiguration,
  decodeEntry,
  type Entry,
  EntryKind,
  entryPayload,
  RaftError,
  recordChecksum,
} from '@troupe/core'
import { scanLog } from '@troupe/store'
import type { ListedEntry, LogScan, ScanMessage, ScanTask } from './scan-task.ts'

const PROGRESS_BYTES = 16 << 20
const KINDS = Object.fromEntries(Object.entries(EntryKind).map(([name, kind]) => [kind, name])) as Record<
  EntryKind,
  ListedEntry['kind']
>

/** Takes in the entries of a log as they are read: a segment after the other, the newest first. */
class Collector {
  readonly configurations = new Map<number, Configuration>()
  readonly #task: ScanTask
  readonly #listed = new Map<number, ListedEntry>()
  #bytes = 0
  #toldBytes = 0

  constructor(task: ScanTask) {
    this.#task = task
  }

  readonly visit = (index: number, record: Uint8Array): void => {
    this.#bytes += record.byteLength
    if (this.#bytes - this.#toldBytes > PROGRESS_BYTES) {
      this.#toldBytes = this.#bytes
      post({ kind: 'progress', bytes: this.#bytes })
    }
    const { from, to, entries } = this.#task
    const isListed = index >= from && index <= to && entries > 0
    if (!isListed && record[36] !== EntryKind.configuration) return
    const entry = decodeEntry(record)
    if (entry === undefined) return
    if (isListed) this.#list(entry)
    if (entry.kind !== EntryKind.configuration) return
    const configuration = decodeConfiguration(entryPayload(entry))
    if (configuration !== undefined) this.configurations.set(index, configuration)
  }

  #list(entry: Entry): void {
    this.#listed.set(entry.index, listed(entry))
    if (this.#listed.size > 2 * this.#task.entries) this.#trim()
  }

  /** Keeps the last ones. */
  #trim(): void {
    const indexes = [...this.#listed.keys()].sort((a, b) => b - a)
    for (const index of indexes.slice(this.#task.entries)) this.#listed.delete(index)
  }

  get entries(): ListedEntry[] {
    this.#trim()
    return [...this.#listed.values()].sort((a, b) => a.index - b.index)
  }
}

function listed({ index, term, kind, commandCount, timeMs, record }: Entry): ListedEntry {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
  const before = { term: view.getFloat64(48, true), checksum: view.getUint32(56, true) }
  return {
    index,
    term,
    kind: KINDS[kind],
    commands: commandCount,
    bytes: record.byteLength,
    logTimeMs: timeMs,
    checksum: recordChecksum(record),
    before: before.term === 0 && before.checksum === 0 ? undefined : before,
  }
}

const post = (message: ScanMessage): void => parentPort?.postMessage(message)

function scan(task: ScanTask): LogScan {
  const startMs = performance.now()
  const collector = new Collector(task)
  const found = scanLog(task.path, task.owner, collector.visit)
  const seconds = (performance.now() - startMs) / 1000
  const { entries, configurations } = collector
  return { found, entries, configurations, seconds }
}

try {
  post({ kind: 'done', scan: scan(workerData as ScanTask) })
} catch (error) {
  post({ kind: 'failed', error: error instanceof RaftError ? error.toWire() : String(error) })
}
