import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codec, drained, frameOf, runs } from '../test/support.ts'
import type { CommandFrame } from './command-frame.ts'
import { type Outcome, resultAt } from './outcome.ts'
import { type Admission, defaultSessionLimits, type SessionLimits, Sessions } from './sessions.ts'

const commandsOf = (count: number): unknown[] => new Array(count).fill(0)
const plain = (first: number, count: number): Outcome => ({
  first,
  count,
  results: undefined,
  errors: undefined,
})
const told = (first: number, count: number): Outcome => ({
  first,
  count,
  results: Array.from({ length: count }, (_, offset) => `r${first + offset}`),
  errors: undefined,
})
const kindOf = (admission: Admission): string => admission.kind

const admit = (sessions: Sessions, frame: CommandFrame, timeMs = 0): Admission =>
  sessions.admit(frame, timeMs)
const saved = (sessions: Sessions): Buffer => Buffer.concat(drained(sessions.view(codec)))

function reloaded(sessions: Sessions, limits: SessionLimits): Sessions {
  const loaded = new Sessions(limits)
  for (const piece of drained(sessions.view(codec))) {
    loaded.restore(piece, codec)
    piece.fill(0)
  }
  loaded.restoreLastId(sessions.lastId)
  return loaded
}

/** Sessions with session 1, in which the frames of these counts were applied. */
function withApplied(...counts: number[]): Sessions {
  const sessions = new Sessions()
  sessions.open(0)
  let first = 1
  for (const count of counts) {
    assert.deepEqual(admit(sessions, frameOf(1, first, commandsOf(count))), {
      kind: 'apply',
      skip: 0,
      answered: [],
    })
    sessions.record(1, told(first, count))
    first += count
  }
  return sessions
}

/** The results of an admission, as `sequence: result`. */
function answers(admission: Admission): Record<number, unknown> {
  const found: Record<number, unknown> = {}
  for (const outcome of 'answered' in admission ? admission.answered : []) {
    for (let offset = 0; offset < outcome.count; offset++) {
      assert.ok(!(outcome.first + offset in found), 'answered twice')
      found[outcome.first + offset] = resultAt(outcome, offset)
    }
  }
  return found
}

describe('client sessions', () => {
  it('refuse a gap and say what they expect', () => {
    const sessions = withApplied(3)
    assert.deepEqual(admit(sessions, frameOf(1, 5, [1])), { kind: 'gap', expected: 4 })
    assert.equal(kindOf(admit(sessions, frameOf(1, 4, [1]))), 'apply')
  })

  it('answer a duplicate with the first results', () => {
    const sessions = withApplied(2, 3)
    const whole = admit(sessions, frameOf(1, 1, commandsOf(5)))
    assert.equal(whole.kind, 'duplicate')
    assert.deepEqual(answers(whole), { 1: 'r1', 2: 'r2', 3: 'r3', 4: 'r4', 5: 'r5' })
    assert.deepEqual(answers(admit(sessions, frameOf(1, 2, commandsOf(2)))), { 2: 'r2', 3: 'r3' })
  })

  it('answer the known part of a frame and let the rest be applied', () => {
    const sessions = withApplied(2, 3)
    const admission = admit(sessions, frameOf(1, 4, commandsOf(4)))
    assert.equal(admission.kind === 'apply' && admission.skip, 2)
    assert.deepEqual(answers(admission), { 4: 'r4', 5: 'r5' })
  })

  it('let go of what is confirmed, in the middle of a frame too', () => {
    const sessions = withApplied(2, 3)
    admit(sessions, frameOf(1, 6, [0], 3))
    assert.deepEqual(answers(admit(sessions, frameOf(1, 1, commandsOf(5)))), { 4: 'r4', 5: 'r5' })
    const before = saved(sessions).byteLength
    admit(sessions, frameOf(1, 6, [0], 5))
    assert.ok(saved(sessions).byteLength < before)
    assert.deepEqual(answers(admit(sessions, frameOf(1, 1, commandsOf(5)))), {})
  })

  it('keep results that say nothing as one, however many frames they came in', () => {
    const sizes = [1, 1000].map((frames) => {
      const sessions = new Sessions()
      sessions.open(0)
      for (let index = 0; index < 1000; index += 1000 / frames) {
        admit(sessions, frameOf(1, index + 1, commandsOf(1000 / frames)))
        sessions.record(1, plain(index + 1, 1000 / frames))
      }
      const admission = admit(sessions, frameOf(1, 500, commandsOf(10)))
      assert.deepEqual('answered' in admission && admission.answered, [plain(500, 10)])
      return saved(sessions).byteLength
    })
    assert.equal(sizes[0], sizes[1])
  })

  it('call a session that never was, or is no more, stale', () => {
    const sessions = new Sessions()
    assert.equal(kindOf(admit(sessions, frameOf(1, 1, [0]))), 'stale')
    sessions.open(0)
    assert.equal(kindOf(admit(sessions, frameOf(1, 1, [0]))), 'apply')
    assert.equal(kindOf(admit(sessions, frameOf(2, 1, [0]))), 'stale')
  })

  it('push out the one that was least recently used, and never give its number again', () => {
    const sessions = new Sessions({ ...defaultSessionLimits, maxSessions: 3, maxUnconfirmedCommands: 100 })
    assert.deepEqual([sessions.open(0), sessions.open(0), sessions.open(0)], [1, 2, 3])
    admit(sessions, frameOf(1, 1, [0]))
    admit(sessions, frameOf(2, 7, [0])) // A gap is a use as well.
    assert.equal(sessions.open(0), 4)
    assert.equal(sessions.count, 3)
    assert.equal(kindOf(admit(sessions, frameOf(3, 1, [0]))), 'stale')
    assert.equal(kindOf(admit(sessions, frameOf(1, 1, [0]))), 'apply')
    assert.equal(sessions.open(0), 5)
    assert.deepEqual(
      [1, 2, 3, 4, 5].map((id) => kindOf(admit(sessions, frameOf(id, 1, [0])))),
      ['apply', 'stale', 'stale', 'apply', 'apply'],
    )
    const loaded = reloaded(sessions, {
      ...defaultSessionLimits,
      maxSessions: 3,
      maxUnconfirmedCommands: 100,
    })
    assert.equal(loaded.open(0), 6)
  })

  it('bound what is not confirmed', () => {
    const sessions = new Sessions({ ...defaultSessionLimits, maxSessions: 3, maxUnconfirmedCommands: 10 })
    sessions.open(0)
    admit(sessions, frameOf(1, 1, commandsOf(10)))
    sessions.record(1, told(1, 10))
    assert.equal(kindOf(admit(sessions, frameOf(1, 11, [0]))), 'full')
    assert.equal(kindOf(admit(sessions, frameOf(1, 11, [0], 1))), 'apply')
  })

  it('take a frame that is more than the bound alone, once all before it is confirmed', () => {
    const sessions = new Sessions({ ...defaultSessionLimits, maxUnconfirmedCommands: 10 })
    sessions.open(0)
    assert.equal(kindOf(admit(sessions, frameOf(1, 1, commandsOf(11)))), 'apply')
    sessions.record(1, told(1, 11))
    assert.equal(kindOf(admit(sessions, frameOf(1, 12, commandsOf(11), 10))), 'full')
    assert.equal(kindOf(admit(sessions, frameOf(1, 12, commandsOf(11), 11))), 'apply')
  })

  it('bound a frame of which a part is known like every other', () => {
    const sessions = new Sessions({ ...defaultSessionLimits, maxUnconfirmedCommands: 10 })
    sessions.open(0)
    admit(sessions, frameOf(1, 1, commandsOf(8)))
    sessions.record(1, told(1, 8))
    assert.equal(kindOf(admit(sessions, frameOf(1, 5, commandsOf(7)))), 'full')
    assert.equal(kindOf(admit(sessions, frameOf(1, 5, commandsOf(7), 1))), 'apply')
    // Alone, and so is the one that tells of all before.
    assert.equal(kindOf(admit(sessions, frameOf(1, 1, commandsOf(20)))), 'apply')
    assert.equal(kindOf(admit(sessions, frameOf(1, 5, commandsOf(20), 3))), 'full')
    assert.equal(kindOf(admit(sessions, frameOf(1, 5, commandsOf(20), 4))), 'apply')
  })

  it('do what a simple model does, and the same after save and load', () => {
    const step = fc.oneof(
      { weight: 1, arbitrary: fc.constant('open' as const) },
      { weight: 1, arbitrary: fc.constant('reload' as const) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }) },
      {
        weight: 8,
        arbitrary: fc.record({
          session: fc.integer({ min: 1, max: 5 }),
          back: fc.integer({ min: -2, max: 8 }),
          count: fc.integer({ min: 1, max: 6 }),
          unconfirmed: fc.nat(12),
          isPlain: fc.boolean(),
        }),
      },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const limits = { maxSessions: 3, maxUnconfirmedCommands: 1000, sessionTtlMs: 50 }
        let sessions = new Sessions(limits)
        /** Least recently used first; results by sequence number. */
        const model = new Map<number, { last: number; usedMs: number; kept: Map<number, unknown> }>()
        let lastId = 0
        let nowMs = 0
        for (const each of steps) {
          if (typeof each === 'number') {
            nowMs += each
            sessions.expire(nowMs)
            for (const [id, { usedMs }] of model) if (nowMs - usedMs > 50) model.delete(id)
            assert.equal(sessions.count, model.size)
            continue
          }
          if (each === 'reload') {
            const before = saved(sessions)
            sessions = reloaded(sessions, limits)
            assert.equal(Buffer.compare(saved(sessions), before), 0)
            continue
          }
          if (each === 'open') {
            assert.equal(sessions.open(nowMs), ++lastId)
            model.set(lastId, { last: 0, usedMs: nowMs, kept: new Map() })
            if (model.size > 3) model.delete(model.keys().next().value as number)
            continue
          }
          const known = model.get(each.session)
          const first = Math.max(1, (known?.last ?? 0) + 1 - each.back)
          const confirmed = Math.max(0, first - 1 - each.unconfirmed)
          const frame = frameOf(each.session, first, commandsOf(each.count), confirmed)
          const admission = admit(sessions, frame, nowMs)
          if (known === undefined) {
            assert.equal(admission.kind, 'stale')
            continue
          }
          model.delete(each.session)
          model.set(each.session, known)
          known.usedMs = nowMs
          for (const sequence of known.kept.keys()) if (sequence <= confirmed) known.kept.delete(sequence)
          const end = first + each.count - 1
          const expected = [...known.kept].filter(([sequence]) => sequence >= first && sequence <= end)
          assert.deepEqual(answers(admission), first > known.last + 1 ? {} : Object.fromEntries(expected))
          if (first > known.last + 1) assert.deepEqual(admission, { kind: 'gap', expected: known.last + 1 })
          else if (end <= known.last) assert.equal(admission.kind, 'duplicate')
          else {
            const skip = known.last + 1 - first
            assert.equal(admission.kind === 'apply' && admission.skip, skip)
            const make = each.isPlain ? plain : told
            const outcome = make(known.last + 1, each.count - skip)
            sessions.record(each.session, outcome)
            for (let offset = 0; offset < outcome.count; offset++) {
              known.kept.set(outcome.first + offset, resultAt(outcome, offset))
            }
            known.last = end
          }
        }
      }),
      runs(300),
    )
  })

  it('expire when they were not used for longer than their time, the others not', () => {
    const sessions = new Sessions({ ...defaultSessionLimits, sessionTtlMs: 100 })
    for (const timeMs of [0, 10, 20]) sessions.open(timeMs)
    admit(sessions, frameOf(1, 1, [0]), 50)
    sessions.expire(110)
    assert.equal(sessions.count, 3)
    sessions.expire(111)
    assert.deepEqual(
      [1, 2, 3].map((id) => kindOf(admit(sessions, frameOf(id, 1, [0]), 111))),
      ['apply', 'stale', 'apply'],
    )
    sessions.expire(212)
    assert.equal(sessions.count, 0)
    assert.equal(sessions.open(212), 4)
  })

  it('never expire where their time is 0', () => {
    const sessions = new Sessions({ ...defaultSessionLimits, sessionTtlMs: 0 })
    sessions.open(0)
    sessions.expire(Number.MAX_SAFE_INTEGER)
    assert.equal(sessions.count, 1)
  })

  it('stay in a view as they were, whatever becomes of them', () => {
    const sessions = withApplied(2, 3)
    sessions.open(0)
    const before = saved(sessions)
    const view = sessions.view(codec)
    admit(sessions, frameOf(1, 6, [0], 3), 9)
    sessions.record(1, told(6, 1))
    admit(sessions, frameOf(2, 1, [0]), 9)
    sessions.record(2, plain(1, 1))
    sessions.open(10)
    const after = saved(sessions)
    assert.equal(Buffer.compare(Buffer.concat(drained(view)), before), 0)
    assert.notEqual(Buffer.compare(after, before), 0)
  })

  it('are saved in bounded pieces, many of them and large ones', () => {
    const sessions = new Sessions()
    for (let id = 1; id <= 2000; id++) {
      sessions.open(id)
      sessions.record(id, told(1, id === 7 ? 50_000 : 1))
      if (id === 7) for (let frame = 0; frame < 3000; frame++) sessions.record(id, told(50_001 + frame, 1))
    }
    const pieces = drained(sessions.view(codec))
    assert.ok(pieces.length > 5)
    const loaded = reloaded(sessions, defaultSessionLimits)
    assert.equal(Buffer.compare(saved(loaded), saved(sessions)), 0)
    assert.deepEqual(answers(admit(loaded, frameOf(7, 53_000, [0]))), { 53000: 'r53000' })
  })
})
