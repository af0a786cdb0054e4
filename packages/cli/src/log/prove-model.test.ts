/** The comparison that the proof rests on: what is sound passes, and whatever was done to a log is found. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { type Entry, EntryKind, encodeEntry, type LogStore } from '@troupe/core'
import { openLmdbLogStore } from '@troupe/store'
import { lookedAt } from './proof.ts'
import { compareLogs, type EntryMark, LogModel, lookAtLog, markOf, type Step } from './prove-model.ts'

const MARK = 'something to be found'

/** An entry; entries of different terms are different ones. */
function entry(index: number, term: number, previous: Entry | undefined): Entry {
  const payload = Buffer.from(`${MARK} ${index}`)
  const header = {
    index,
    term,
    kind: EntryKind.commands,
    timeMs: index,
    commandCount: 1,
    configurationIndex: 0,
  }
  return encodeEntry(header, [payload], crc32, previous)
}

function entries(from: number, to: number, term: number, previous?: Entry): Entry[] {
  const made: Entry[] = []
  for (let index = from; index <= to; index++) made.push(entry(index, term, made.at(-1) ?? previous))
  return made
}

const vote = (term: number) => ({ term, vote: 'n1', voteIncarnation: 7 })

type Content = Partial<Parameters<LogStore['persist']>[0]>

/** Does `work` on the log below `path`, each of its writes acknowledged before the next. */
async function writing(path: string, work: (write: (content: Content) => Promise<void>) => Promise<void>) {
  let token = 0
  let acknowledged = Promise.withResolvers<void>()
  const events = {
    onPersisted: () => acknowledged.resolve(),
    onFailed: (error: Error) => acknowledged.reject(error),
    onSpace: () => {},
  }
  const store = await openLmdbLogStore({ path, segmentEntries: 4, events })
  const nothing = { hardState: undefined, reset: undefined, truncateFrom: undefined, compactTo: undefined }
  await work((content) => {
    acknowledged = Promise.withResolvers()
    store.persist({ ...nothing, repairs: [], entries: [], messages: [], ...content, token: ++token })
    return acknowledged.promise
  })
  await store.close()
}

const TEN = entries(1, 10, 1)

/** A log of ten entries in segments of four, and the model of it. */
async function withLog(
  run: (path: string, log: string, model: LogModel<EntryMark>) => Promise<void>,
): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'troupe-model-'))
  try {
    await writing(path, async (write) => {
      for (const each of TEN) await write({ entries: [each], hardState: vote(1) })
    })
    await run(path, join(path, '0'), modelOf(TEN))
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

const modelOf = (content: readonly Entry[], term = 1): LogModel<EntryMark> =>
  new LogModel({ index: 0, term: 0 }, vote(term), content.map(markOfEntry))

const markOfEntry = ({ record }: Entry): EntryMark => markOf(record)

const step = (token: number, content: Omit<Content, 'entries'> & { entries?: readonly Entry[] }): Step =>
  ({ ...content, token, entries: (content.entries ?? []).map(markOfEntry) }) as Step

test('what was acknowledged is there', () =>
  withLog(async (_, log, model) => {
    assert.deepEqual(lookedAt(log, model, []), { kind: 'sound', steps: 0, isHardStateAhead: false })
  }))

test('a step in flight is there as a whole, or not at all', () =>
  withLog(async (path, log, model) => {
    const truncation = { truncateFrom: 6, entries: entries(6, 7, 2, TEN[4]), hardState: vote(2) }
    const pending = [step(11, truncation), step(12, { hardState: vote(3) })]
    assert.equal(lookedAt(log, modelOf(TEN), pending).kind, 'sound')
    await writing(path, (write) => write(truncation))
    assert.deepEqual(lookedAt(log, model, pending), { kind: 'sound', steps: 1, isHardStateAhead: false })
    // From now on that is what must be there.
    assert.deepEqual([model.lastIndex, model.hardState.term], [7, 2])
    assert.equal(lookedAt(log, model, []).kind, 'sound')
  }))

test('an acknowledged entry that was removed is missing', () =>
  withLog(async (path, log, model) => {
    await writing(path, (write) => write({ truncateFrom: 10 }))
    assert.deepEqual(lookedAt(log, model, []), {
      kind: 'missing',
      reason: 'entry 10 was acknowledged, and is not there',
    })
    // Had a truncation been in flight, it might be gone.
    assert.equal(lookedAt(log, model, [step(11, { truncateFrom: 10 })]).kind, 'sound')
  }))

test('an entry that another one has taken the place of is missing', () =>
  withLog(async (path, log, model) => {
    await writing(path, (write) => write({ truncateFrom: 10, entries: entries(10, 10, 3, TEN[8]) }))
    assert.deepEqual(lookedAt(log, model, []), {
      kind: 'missing',
      reason: 'entry 10 was acknowledged, and is another one',
    })
  }))

test('a log that was put back from an older copy is missing what came since', () =>
  withLog(async (path, log, model) => {
    cpSync(log, join(path, 'copy'), { recursive: true })
    const more = entries(11, 12, 2, TEN[9])
    await writing(path, (write) => write({ entries: more, hardState: vote(2) }))
    const step11 = step(11, { entries: more, hardState: vote(2) })
    model.apply(step11)
    rmSync(log, { recursive: true })
    cpSync(join(path, 'copy'), log, { recursive: true })
    const found = lookedAt(log, model, [])
    assert.equal(found.kind, 'missing')
    assert.match('reason' in found ? found.reason : '', /^term 2 was acknowledged, 1 is there/)
  }))

test('entries without the term and vote of their step are half-written', () =>
  withLog(async (path, log, model) => {
    const more = entries(11, 12, 2, TEN[9])
    await writing(path, (write) => write({ entries: more }))
    const found = lookedAt(log, model, [step(11, { entries: more, hardState: vote(2) })])
    assert.equal(found.kind, 'half-written')
  }))

test('a step of which only some entries are there is half-written', () =>
  withLog(async (path, log, model) => {
    const more = entries(11, 12, 1, TEN[9])
    await writing(path, (write) => write({ entries: more.slice(0, 1) }))
    const found = lookedAt(log, model, [step(11, { entries: more })])
    assert.equal(found.kind, 'half-written')
  }))

test('term and vote may be those of a step in flight, not of one that never was', () => {
  const model = modelOf(TEN)
  const seen = {
    base: model.base,
    hardState: vote(2),
    writtenHardState: vote(1),
    entries: [...model.entries],
    damaged: [],
    problems: [],
  }
  assert.deepEqual(compareLogs(seen, modelOf(TEN), [step(11, { hardState: vote(2) })]), {
    kind: 'sound',
    steps: 0,
    isHardStateAhead: true,
  })
  assert.equal(compareLogs(seen, modelOf(TEN), []).kind, 'half-written')
})

test('the vote in effect may stand in the witness alone, until the next change', () => {
  const model = modelOf(TEN)
  const seen = { base: model.base, entries: [...model.entries], damaged: [], problems: [] }
  const inFlight = [step(11, { hardState: vote(2) })]
  const ahead = { ...seen, hardState: vote(2), writtenHardState: vote(1) }
  assert.equal(compareLogs(ahead, model, inFlight).kind, 'sound')
  // Opened again it is in effect, and what is written without a change of it leaves it where it is.
  assert.equal(compareLogs({ ...ahead, writtenHardState: undefined }, model, []).kind, 'sound')
  assert.equal(compareLogs(ahead, model, []).kind, 'sound')
  model.apply(step(12, { hardState: vote(3) }))
  assert.equal(compareLogs({ ...ahead, hardState: vote(3) }, model, []).kind, 'half-written')
  assert.equal(compareLogs(ahead, model, []).kind, 'missing')
})

test('a flipped bit, a cut file and a segment that is gone are damage', () =>
  withLog(async (path, log, model) => {
    const segment = join(log, '000000000002')
    const file = join(segment, 'data.mdb')
    const whole = readFileSync(file)
    const flipped = Buffer.from(whole)
    for (let at = whole.indexOf(MARK); at !== -1; at = whole.indexOf(MARK, at + 1)) flipped.writeUInt8(0, at)
    writeFileSync(file, flipped)
    assert.equal(lookedAt(log, model, []).kind, 'damaged')
    writeFileSync(file, whole.subarray(0, 8192))
    assert.equal(lookedAt(log, model, []).kind, 'damaged')
    rmSync(segment, { recursive: true })
    assert.equal(lookedAt(log, model, []).kind, 'damaged')
    assert.ok(lookAtLog(log).damaged.length > 0)
    assert.ok(path.length > 0)
  }))
