/** `bench log`: the log store beside bare lmdb, in turns, and how long a long log takes to open. */
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type Entry, EntryKind, encodeEntry, type LogStore } from '@troupe/core'
import { openLmdbLogStore } from '@troupe/store'
import { open } from 'lmdb'
import type { Bench } from './bench.ts'
import { commandOf } from './benchmark.ts'
import type { OptionValues } from './command.ts'
import { describeEnvironment, type Environment } from './environment.ts'
import { median } from './latency.ts'
import { clusterOptionTable, configurationOf, outputOptionTable } from './options.ts'
import type { Output, Picture, Report, ReportDocument } from './report.ts'
import { formatNumber, formatRatio, rounded } from './terminal/format.ts'
import type { Column } from './terminal/table.ts'
import type { Verdict } from './verify.ts'

const optionTable = {
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 1, help: 'length of each turn' },
  repeat: { kind: 'integer', min: 1, max: 100, default: 7, help: 'turns of each of the two, for each size' },
  sizes: { kind: 'integers', min: 1, max: 16 << 20, default: [100, 262_144], help: 'bytes of an entry' },
  'open-entries': {
    kind: 'integer',
    min: 0,
    default: 10_000,
    help: 'entries, each a batch of 1,000 commands of 64 bytes, of the log that is opened; 0: none',
  },
  data: clusterOptionTable.data,
  ...outputOptionTable,
} as const

type LogValues = OptionValues<typeof optionTable>

/** One entry after the other, each flushed before the next is begun. Medians over the turns. */
interface SizeResult {
  readonly sizeBytes: number
  readonly bareFlushesPerSecond: number
  readonly logFlushesPerSecond: number
  readonly bareMBps: number
  readonly logMBps: number
  /** Of the log to bare lmdb, turn by turn. */
  readonly ratio: number
  readonly lowestRatio: number
  readonly highestRatio: number
}

interface OpenResult {
  readonly entries: number
  readonly commands: number
  readonly bytes: number
  readonly openMs: number
}

const MS_PER_S = 1000
const COMMANDS = 1000
const OPEN_ENTRY_BYTES = 64 * COMMANDS
/** Entries that are handed over at once while the long log is filled. */
const FILL = 64
const DURABILITY = 'flush-before-ack'

class LogReport implements Report {
  readonly results: SizeResult[] = []
  opened: OpenResult | undefined
  environment: Environment | undefined
  readonly #values: LogValues

  constructor(values: LogValues) {
    this.#values = values
  }

  get verdict(): Verdict {
    return this.results.length === this.#values.sizes.length ? 'pass' : 'unknown'
  }

  says(verdict: Verdict): string {
    return verdict === 'pass' ? 'what the log costs beside bare lmdb' : 'not all was measured'
  }

  pictures(): readonly Picture[] {
    return this.results.map(({ sizeBytes, bareFlushesPerSecond: bare, logFlushesPerSecond: log, ratio }) => ({
      kind: 'bars',
      title: `Flushes per second, entries of ${formatNumber(sizeBytes)} bytes`,
      note: `The log reaches ${formatRatio(ratio)} of bare lmdb, the median over the turns.`,
      bars: [
        { label: 'bare lmdb', value: bare, text: `${formatNumber(bare)}/s`, group: 'bare lmdb' },
        { label: 'the log', value: log, text: `${formatNumber(log)}/s`, group: 'the log' },
      ],
    }))
  }

  print(output: Output): void {
    output.title('The log beside bare lmdb: one entry after the other, each flushed before the next')
    if (this.environment !== undefined) output.environment(this.environment)
    output.table(columns, this.results)
    if (this.opened === undefined) return
    const { commands, entries, bytes, openMs } = this.opened
    const what = `${formatNumber(commands)} commands in ${formatNumber(entries)} entries, ${formatNumber(bytes / 1e6)} MB`
    output.line(`a log of ${what}: read, checked and opened in ${formatNumber(openMs)} ms`)
  }

  document(): ReportDocument {
    const { results, opened = null, environment = null } = this
    return {
      benchmark: 'log',
      headline: { ratios: results.map(({ sizeBytes, ratio }) => ({ sizeBytes, ratio })), opened },
      verification: null,
      configuration: { ...configurationOf(this.#values), durability: DURABILITY },
      environment,
      runs: results,
    }
  }
}

const columns: readonly Column<SizeResult>[] = [
  { title: 'bytes', value: ({ sizeBytes }) => formatNumber(sizeBytes) },
  { title: 'lmdb flushes/s', value: (row) => formatNumber(row.bareFlushesPerSecond) },
  { title: 'log flushes/s', value: (row) => formatNumber(row.logFlushesPerSecond) },
  { title: 'lmdb MB/s', value: (row) => formatNumber(row.bareMBps) },
  { title: 'log MB/s', value: (row) => formatNumber(row.logMBps) },
  { title: 'ratio', value: ({ ratio }) => ratio.toFixed(2) },
  { title: 'from', value: ({ lowestRatio }) => lowestRatio.toFixed(2) },
  { title: 'to', value: ({ highestRatio }) => highestRatio.toFixed(2) },
]

/** Appends one entry, flushed when it resolves. */
type Append = () => Promise<unknown>

function bareAppends(path: string, bytes: number): { append: Append; close: () => Promise<void> } {
  const options = { overlappingSync: false, eventTurnBatching: false, txnStartThreshold: 1, maxDbs: 1 }
  const database = open<Uint8Array, Uint8Array>({
    path,
    encoding: 'binary',
    keyEncoding: 'binary',
    compression: false,
    ...options,
  } as Parameters<typeof open>[0] & { path: string })
  const value = new Uint8Array(bytes)
  const key = new Uint8Array(9)
  const view = new DataView(key.buffer)
  let index = 0
  const append = (): Promise<unknown> => {
    view.setUint32(5, ++index)
    const committed = database.batch(() => {
      void database.put(key, value, { append: true } as never)
    })
    // Starts the transaction at once: an empty one behind it passes lmdb's threshold.
    const started = database.batch(() => {})
    return Promise.all([committed, started, database.flushed])
  }
  return { append, close: () => database.close() }
}

/** A log store, and whoever waits for it. */
class LogAppends {
  readonly #path: string
  readonly #payload: Uint8Array
  #store: LogStore | undefined
  #waiting: PromiseWithResolvers<void> | undefined
  #token = 0
  #made: readonly Entry[] | undefined
  #last: Entry | undefined

  constructor(path: string, bytes: number) {
    this.#path = path
    this.#payload = new Uint8Array(bytes)
  }

  async open(): Promise<void> {
    this.#store = await openLmdbLogStore({
      path: this.#path,
      events: {
        onPersisted: () => this.#waiting?.resolve(),
        onFailed: (error) => this.#waiting?.reject(error),
        onSpace: () => {},
      },
    })
  }

  append(count = 1, commandCount = 1): Promise<void> {
    const entries = this.#made ?? this.#make(count, commandCount)
    const waiting = Promise.withResolvers<void>()
    this.#waiting = waiting
    this.#store?.persist({
      token: ++this.#token,
      hardState: undefined,
      reset: undefined,
      truncateFrom: undefined,
      repairs: [],
      entries,
      compactTo: undefined,
      messages: [],
    })
    // As a leader does: what comes next is made while this is flushed.
    this.#made = this.#make(count, commandCount)
    return waiting.promise
  }

  #make(count: number, commandCount: number): readonly Entry[] {
    return Array.from({ length: count }, () => this.#next(commandCount))
  }

  #next(commandCount: number): Entry {
    const header = { term: 1, kind: EntryKind.commands, timeMs: 0, commandCount, configurationIndex: 0 }
    const index = (this.#last?.index ?? 0) + 1
    this.#last = encodeEntry({ ...header, index }, [this.#payload], crc32, this.#last)
    return this.#last
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }
}

/** Flushes a second. */
async function turn(bench: Bench, append: Append, seconds: number): Promise<number> {
  const beganMs = performance.now()
  let count = 0
  for (;;) {
    await bench.or(append())
    count++
    const tookMs = performance.now() - beganMs
    if (tookMs >= seconds * MS_PER_S) return (count / tookMs) * MS_PER_S
  }
}

async function measureSize(bench: Bench, sizeBytes: number, values: LogValues): Promise<SizeResult> {
  const bare = bareAppends(join(bench.directory, `bare-${sizeBytes}`), sizeBytes)
  bench.onEnd(bare.close)
  const log = new LogAppends(join(bench.directory, `log-${sizeBytes}`), sizeBytes)
  await log.open()
  bench.onEnd(() => log.close())
  const turns: { bare: number; log: number }[] = []
  for (let round = 0; round < values.repeat; round++) {
    const bareRate = await turn(bench, bare.append, values.seconds)
    const logRate = await turn(bench, () => log.append(), values.seconds)
    turns.push({ bare: bareRate, log: logRate })
  }
  const ratios = turns.map((rates) => rates.log / rates.bare)
  const bareRate = median(turns.map((rates) => rates.bare))
  const logRate = median(turns.map((rates) => rates.log))
  return {
    sizeBytes,
    bareFlushesPerSecond: rounded(bareRate),
    logFlushesPerSecond: rounded(logRate),
    bareMBps: rounded((bareRate * sizeBytes) / 1e6),
    logMBps: rounded((logRate * sizeBytes) / 1e6),
    ratio: rounded(median(ratios)),
    lowestRatio: rounded(Math.min(...ratios)),
    highestRatio: rounded(Math.max(...ratios)),
  }
}

async function measureOpen(bench: Bench, atLeast: number): Promise<OpenResult> {
  const path = join(bench.directory, 'long')
  const filling = new LogAppends(path, OPEN_ENTRY_BYTES)
  await filling.open()
  bench.onEnd(() => filling.close())
  const batch = Math.min(FILL, atLeast)
  const entries = Math.ceil(atLeast / batch) * batch
  for (let done = 0; done < entries; done += batch) await bench.or(filling.append(batch, COMMANDS))
  await filling.close()
  const opening = new LogAppends(path, 0)
  const beganMs = performance.now()
  await opening.open()
  const openMs = performance.now() - beganMs
  await opening.close()
  return { entries, commands: entries * COMMANDS, bytes: entries * OPEN_ENTRY_BYTES, openMs: rounded(openMs) }
}

async function measureLog(bench: Bench, values: LogValues, report: LogReport): Promise<void> {
  report.environment = describeEnvironment(bench.directory, DURABILITY)
  for (const size of values.sizes) {
    const turnsMs = 2 * values.seconds * values.repeat * MS_PER_S
    bench.progress.begin(`${formatNumber(size)} bytes, in turns with bare lmdb`, turnsMs)
    report.results.push(await measureSize(bench, size, values))
  }
  const entries = values['open-entries']
  if (entries === 0) return
  bench.progress.begin('a long log is filled, and opened', openMsOf(entries))
  report.opened = await measureOpen(bench, entries)
}

/** Some 50 MB a second. */
const openMsOf = (entries: number): number => (entries * OPEN_ENTRY_BYTES) / 50_000

export const logCommand = commandOf({
  name: 'log',
  summary: 'the log store beside bare lmdb, in turns; how long a long log takes to open',
  details: ['Both flush each entry before the next is begun. The ratio is the median over the turns.'],
  options: optionTable,
  report: (values) => new LogReport(values),
  expectedMs: ({ sizes, seconds, repeat, 'open-entries': entries }) =>
    2 * sizes.length * seconds * repeat * MS_PER_S + openMsOf(entries),
  measure: measureLog,
})
