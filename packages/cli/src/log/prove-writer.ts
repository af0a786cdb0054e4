/**
 * The process that `troupe log prove` kills: opens a log, says what it finds, then goes on writing until it dies. Every
 * line is in the pipe before what it tells of is done, or right after:
 *
 *     OPENING        before the log is opened
 *     FOUND {...}    what it holds
 *     HAND {...}     a step, before it is handed over
 *     ACK token      it and all before it are acknowledged
 *     FAILED text    the log could not be opened, or has failed
 *     CLOSED         after `limit` steps
 */
import { writeSync } from 'node:fs'
import { type Entry, type LogStore, type PersistRequest, type RaftError, seededRandom } from '@troupe/core'
import { openLmdbLogStore } from '@troupe/store'
import { LogModel, markOf, type SeenLog, type Step } from './prove-model.ts'
import { Steps } from './prove-steps.ts'

export interface WriterTask {
  readonly path: string
  readonly durability: 'flush-before-ack' | 'acked-before-flush'
  readonly seed: number
  /** Steps that are handed over before the first of them is acknowledged. */
  readonly outstanding: number
  /** After so many it closes the log and ends. */
  readonly limit: number
  /** Every step is an entry and a hard state, and the segment is never full: for a trace that can be read. */
  readonly isPlain: boolean
}

/** Small, so that segments are begun and unlinked all the time. */
const SEGMENT_LIMITS = { segmentBytes: 96 << 10, segmentEntries: 48 }

const NOTHING: Omit<PersistRequest, 'token'> = {
  hardState: undefined,
  reset: undefined,
  truncateFrom: undefined,
  repairs: [],
  entries: [],
  compactTo: undefined,
  messages: [],
}

/** Straight into the pipe: what stands there outlives this process. */
const say = (line: string): unknown => writeSync(1, `${line}\n`)

class Writer {
  readonly #task: WriterTask
  #handed = 0
  #store: LogStore | undefined
  #steps: Steps | undefined

  constructor(task: WriterTask) {
    this.#task = task
  }

  async run(): Promise<void> {
    const { path, durability, isPlain, seed } = this.#task
    say('OPENING')
    const limits = isPlain ? {} : SEGMENT_LIMITS
    const store = await openLmdbLogStore({ path, durability, ...limits, events: this })
    const log = contentOf(store)
    say(`FOUND ${JSON.stringify(seenIn(store, log))}`)
    this.#store = store
    this.#steps = new Steps(log, seededRandom(seed), isPlain)
    this.#goOn(0)
  }

  onPersisted(token: number): void {
    say(`ACK ${token}`)
    this.#goOn(token)
  }

  onSpace(isFull: boolean): void {
    if (isFull) say('FAILED the disk is full')
  }

  onFailed({ message }: RaftError<'STORAGE_FAILED'>): void {
    say(`FAILED ${message}`)
  }

  #goOn(acknowledged: number): void {
    const { limit, outstanding } = this.#task
    if (acknowledged >= limit) return void this.#store?.close().then(() => say('CLOSED'))
    while (this.#handed < Math.min(limit, acknowledged + outstanding)) this.#handOver()
  }

  #handOver(): void {
    const token = ++this.#handed
    const effect = (this.#steps as Steps).next()
    const step: Step = { ...effect, token, entries: effect.entries.map(({ record }) => markOf(record)) }
    say(`HAND ${JSON.stringify(step)}`)
    this.#store?.persist({ ...NOTHING, ...effect, token })
  }
}

function contentOf(store: LogStore): LogModel<Entry> {
  const { base, lastIndex, hardState, damaged } = store
  const isReadable = lastIndex > base.index && damaged.length === 0
  const entries = isReadable ? store.read(base.index + 1, lastIndex, Number.POSITIVE_INFINITY) : []
  return new LogModel(base, hardState, entries)
}

/** As the store says it, from this end of it. */
function seenIn({ damaged }: LogStore, { base, hardState, entries }: LogModel<Entry>): SeenLog {
  const marks = entries.map(({ record }) => markOf(record))
  return { base, hardState, writtenHardState: undefined, entries: marks, damaged, problems: [] }
}

try {
  await new Writer(JSON.parse(process.argv[2] ?? '{}') as WriterTask).run()
} catch (error) {
  say(`FAILED ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
}
