import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type HardState,
  type LogStore,
  type PersistRequest,
  RaftError,
  type StoreEvents,
  seededRandom,
} from '@troupe/core'
import fc from 'fast-check'
import { HandTime, storeFault } from './faults.fixture.ts'
import { FaultyStore } from './faulty-store.ts'
import type { StoreEffect } from './vocabulary.ts'

const numRuns = process.env.TROUPE_FULL ? 3000 : 300

/** A store that has flushed a request when it is told to. */
class InnerStore implements LogStore {
  readonly base = { index: 0, term: 0 }
  readonly damaged = [{ from: 2, to: 3 }]
  readonly durability = 'flush-before-ack'
  readonly metrics = { flushes: 0, entriesFlushed: 0, bytesFlushed: 0 }
  readonly tokens: number[] = []
  hardState: HardState = { term: 0, vote: '', voteIncarnation: 0 }
  lastIndex = 7
  isClosed = false
  readonly events: StoreEvents
  constructor(events: StoreEvents) {
    this.events = events
  }
  termAt(index: number) {
    return index * 10
  }
  read() {
    return []
  }
  persist({ token }: PersistRequest) {
    this.tokens.push(token)
  }
  forgotten(to: number) {
    this.tokens.push(-to)
  }
  close() {
    this.isClosed = true
    return Promise.resolve()
  }
}

const request = (token: number): PersistRequest => ({
  token,
  hardState: undefined,
  reset: undefined,
  truncateFrom: undefined,
  repairs: [],
  entries: [],
  compactTo: undefined,
  messages: [],
})

function faulty(seed = 1) {
  const time = new HandTime()
  const reports: (number | string)[] = []
  const events: StoreEvents = {
    onPersisted: (token) => void reports.push(token),
    onFailed: (error) => void reports.push(error.code),
    onSpace: (isFull) => void reports.push(isFull ? 'full' : 'space'),
  }
  let inner: InnerStore | undefined
  const open = (own: StoreEvents): LogStore => {
    inner = new InnerStore(own)
    return inner
  }
  const store = new FaultyStore(open, { clock: time, scheduler: time, random: seededRandom(seed), events })
  assert.ok(inner !== undefined)
  return { time, reports, store, inner }
}

describe('a store with faults', () => {
  it('without any is the store inside', async () => {
    const { reports, store, inner } = faulty()
    store.persist(request(1))
    inner.events.onPersisted(1)
    assert.deepEqual(reports, [1])
    inner.hardState = { term: 3, vote: 'n1', voteIncarnation: 4 }
    assert.deepEqual(
      [store.base, store.lastIndex, store.damaged, store.hardState, store.durability, store.metrics],
      [inner.base, 7, inner.damaged, inner.hardState, inner.durability, inner.metrics],
    )
    assert.deepEqual([store.termAt(4), store.read(1, 2, 3)], [40, []])
    store.forgotten(9)
    assert.deepEqual(inner.tokens, [1, -9])
    await store.close()
    assert.ok(inner.isClosed)
  })

  it('is slow: completions are late, in their order, also those after it was healed', () => {
    const { time, reports, store, inner } = faulty()
    store.add(1, { mode: 'slow', timeMs: 10 })
    store.add(2, { mode: 'slow', timeMs: 5 })
    for (const token of [1, 2]) store.persist(request(token))
    inner.events.onPersisted(1)
    time.advanceTo(14)
    store.remove(1)
    store.remove(2)
    inner.events.onPersisted(2)
    assert.deepEqual(reports, [])
    time.advanceTo(15)
    assert.deepEqual(reports, [1, 2])
    inner.events.onPersisted(3)
    assert.deepEqual(reports, [1, 2, 3])
  })

  it('is slow in a share of its writes: those behind one of them wait for it, the others do not', () => {
    const { time, reports, store, inner } = faulty()
    store.add(1, { mode: 'slow', timeMs: 10, percent: 25 })
    const lateMs = Array.from({ length: 200 }, (_, at) => {
      const token = at + 1
      const fromMs = time.nowMs()
      store.persist(request(token))
      inner.events.onPersisted(token)
      while (reports.at(-1) !== token) time.advanceTo(time.nowMs() + 1)
      return time.nowMs() - fromMs
    })
    const late = lateMs.filter((ms) => ms > 0)
    assert.ok(late.length > 30 && late.length < 70, `${late.length} of 200`)
    assert.deepEqual([...new Set(late)], [10])
    assert.deepEqual(
      reports,
      lateMs.map((_, at) => at + 1),
    )
  })

  it('stalls: the last completion is reported when the stall is over, not from within', () => {
    const { time, reports, store, inner } = faulty()
    store.add(1, { mode: 'stall' })
    store.add(2, { mode: 'stall' })
    for (const token of [1, 2, 3]) store.persist(request(token))
    assert.deepEqual(inner.tokens, [1, 2, 3])
    inner.events.onPersisted(1)
    inner.events.onPersisted(2)
    store.remove(1)
    time.advanceTo(100)
    assert.deepEqual(reports, [])
    store.remove(2)
    store.remove(2)
    assert.deepEqual(reports, [])
    inner.events.onPersisted(3)
    time.advanceTo(100)
    assert.deepEqual(reports, [2, 3])
  })

  it('is full: requests wait whole and go on in order when there is room, and both is told', () => {
    const { time, reports, store, inner } = faulty()
    store.persist(request(1))
    store.add(1, { mode: 'full' })
    for (const token of [2, 3, 4]) store.persist(request(token))
    inner.events.onPersisted(1)
    assert.deepEqual([inner.tokens, store.waitingRequests, reports], [[1], 3, [1]])
    time.advanceTo(0)
    assert.deepEqual(reports, [1, 'full'])
    store.remove(1)
    store.persist(request(5))
    assert.deepEqual([inner.tokens, store.waitingRequests], [[1, 2, 3, 4, 5], 0])
    assert.deepEqual(reports, [1, 'full', 'space'])
  })

  it('is full, and nobody needs to know: nothing was written meanwhile, or it is over before it is told', () => {
    const { time, reports, store } = faulty()
    store.add(1, { mode: 'full' })
    store.remove(1)
    store.add(2, { mode: 'full' })
    store.persist(request(1))
    store.remove(2)
    time.advanceTo(10)
    assert.deepEqual(reports, [])
  })

  it('is full as long as it is, or the store inside', () => {
    const { time, reports, store, inner } = faulty()
    inner.events.onSpace(true)
    store.add(1, { mode: 'full' })
    store.persist(request(1))
    time.advanceTo(1)
    inner.events.onSpace(false)
    assert.deepEqual(reports, ['full'])
    store.remove(1)
    assert.deepEqual(reports, ['full', 'space'])
  })

  it('fails once, with the next request; then nothing completes any more', () => {
    const { time, reports, store, inner } = faulty()
    store.add(1, { mode: 'slow', timeMs: 5 })
    store.persist(request(1))
    inner.events.onPersisted(1)
    store.add(2, { mode: 'fail' })
    time.advanceTo(1)
    assert.deepEqual(reports, [])
    store.persist(request(2))
    store.persist(request(3))
    assert.deepEqual([inner.tokens, reports], [[1], []])
    inner.events.onPersisted(2)
    store.remove(2)
    store.persist(request(4))
    time.advanceTo(100)
    assert.deepEqual([inner.tokens, reports], [[1], ['STORAGE_FAILED']])
  })

  it('does not fail where the fault is healed before anything is written', () => {
    const { store, inner } = faulty()
    store.add(1, { mode: 'fail' })
    store.remove(1)
    store.persist(request(1))
    assert.deepEqual(inner.tokens, [1])
  })

  it('fails with the store inside', () => {
    const { reports, inner } = faulty()
    inner.events.onFailed(new RaftError('STORAGE_FAILED', 'no', { path: 'x', reason: 'no' }))
    inner.events.onPersisted(1)
    assert.deepEqual(reports, ['STORAGE_FAILED'])
  })

  it('reports nothing once it is closed', async () => {
    const { time, reports, store, inner } = faulty()
    store.add(1, { mode: 'stall' })
    store.add(2, { mode: 'full' })
    store.persist(request(1))
    inner.events.onPersisted(1)
    await store.close()
    store.remove(1)
    store.remove(2)
    time.advanceTo(10)
    assert.deepEqual([reports, inner.tokens], [[], []])
  })

  it('reports tokens in order under any faults, and all of them once it is healed', () => {
    const step = fc.oneof(
      fc.constant('persist' as const),
      fc.constant('complete' as const),
      fc.constant('remove' as const),
      storeFault,
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, seed) => {
        const { time, reports: told, store, inner } = faulty(seed)
        const active: number[] = []
        let token = 0
        let completed = 0
        const complete = () => {
          const next = inner.tokens[completed]
          if (next === undefined) return
          completed++
          inner.events.onPersisted(next)
        }
        for (const [at, what] of steps.entries()) {
          time.advanceTo(at * 10)
          if (what === 'persist') store.persist(request(++token))
          else if (what === 'complete') complete()
          else if (what === 'remove') store.remove(active.shift() ?? 0)
          else {
            store.add(at + 1, what as unknown as StoreEffect)
            active.push(at + 1)
          }
        }
        for (const id of active) store.remove(id)
        while (completed < inner.tokens.length) complete()
        time.advanceTo(1e12)
        assert.deepEqual(
          inner.tokens,
          Array.from({ length: token }, (_, place) => place + 1),
        )
        const space = told.filter((report) => typeof report === 'string')
        const isFine = space.every((report, place) => report === (place % 2 === 0 ? 'full' : 'space'))
        assert.ok(isFine && space.length % 2 === 0, `${space}`)
        const reports = told.filter((report) => typeof report === 'number')
        assert.deepEqual(
          reports,
          reports.toSorted((left, right) => left - right),
        )
        assert.equal(new Set(reports).size, reports.length)
        if (token > 0) assert.equal(reports.at(-1), token)
      }),
      { numRuns },
    )
  })
})
