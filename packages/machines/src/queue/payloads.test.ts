import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { runs } from '../../test/support.ts'
import { viewed } from '../viewed-bytes.ts'
import { MemorySegments } from './memory-segments.ts'
import { Field, MessageState, Messages } from './messages.ts'
import { Payloads } from './payloads.ts'

const SEGMENT_BYTES = 1024

/** Payloads with their owners; each has bytes of one value, told by its slot. */
class Subject {
  readonly messages = new Messages()
  readonly space = new MemorySegments()
  readonly payloads = new Payloads(this.space, this, SEGMENT_BYTES)
  readonly alive = new Map<number, number>()

  get words(): Messages['words'] {
    return this.messages.words
  }

  moved(slot: number, from: number, to: number): void {
    assert.equal(this.messages.get(slot, Field.address), from)
    this.messages.set(slot, Field.address, to)
  }

  add(bytes: number): number {
    const slot = this.messages.allocate()
    this.messages.setPlace(slot, 0, MessageState.ready, 0)
    const source = viewed(new Uint8Array(bytes).fill(slot))
    this.messages.set(slot, Field.address, this.payloads.append(slot, source, 0, bytes))
    this.alive.set(slot, bytes)
    return slot
  }

  remove(slot: number): void {
    this.payloads.free(this.messages.get(slot, Field.address), this.alive.get(slot) as number)
    this.messages.free(slot)
    this.alive.delete(slot)
  }

  check(): void {
    for (const [slot, bytes] of this.alive) {
      const found = this.payloads.read(this.messages.get(slot, Field.address), bytes)
      assert.deepEqual([...found], new Array(bytes).fill(slot & 0xff))
    }
  }
}

/** The same payloads, from what a save gave. */
function loaded(subject: Subject): Subject {
  const copy = new Subject()
  copy.words.clear()
  for (const page of subject.words.view().pages()) copy.words.restorePage(page)
  copy.messages.restore(subject.messages.count, subject.messages.freed)
  for (const [slot, bytes] of subject.alive) copy.alive.set(slot, bytes)
  const loader = copy.payloads.beginRestore(subject.payloads.directory, false)
  const held = subject.payloads.hold(false)
  for (const run of held.runs(subject.words)) loader.run({ ...run, bytes: new Uint8Array(run.bytes) })
  held.close()
  loader.end()
  return copy
}

describe('payloads', () => {
  it('drops a segment when nothing in it is alive', () => {
    const subject = new Subject()
    const slots = Array.from({ length: 100 }, () => subject.add(100))
    const [kept] = [subject.add(1)]
    for (const slot of slots) subject.remove(slot)
    assert.ok(subject.payloads.keptBytes <= SEGMENT_BYTES)
    subject.check()
    assert.ok(kept !== undefined)
  })

  it('copies survivors, so that a few do not pin many segments', () => {
    const subject = new Subject()
    for (let round = 0; round < 1000; round++) {
      const slots = Array.from({ length: 8 }, () => subject.add(100))
      for (const slot of slots.slice(round % 10 === 0 ? 1 : 0)) subject.remove(slot)
    }
    const { aliveBytes, keptBytes } = subject.payloads
    assert.equal(subject.alive.size, 100)
    assert.ok(keptBytes <= 2 * aliveBytes + 4 * SEGMENT_BYTES, `${keptBytes} bytes for ${aliveBytes}`)
    subject.check()
  })

  it('begins another segment where survivors have filled the new one', () => {
    const subject = new Subject()
    // Less than half of each segment lives on: two of those fill a new one.
    for (let count = 0; count < 40; count++) {
      const dead = subject.add(500)
      subject.add(440)
      subject.remove(dead)
    }
    for (let count = 0; count < 40; count++) subject.add(900)
    subject.check()
  })

  it('saves nothing but what was given to it, whatever was in the buffer before', () => {
    const subject = new Subject()
    for (let count = 0; count < 10; count++) subject.remove(subject.add(300))
    const slot = subject.add(1)
    const held = subject.payloads.hold(false)
    const saved = [...held.runs(subject.words)].map(({ bytes }) => [...bytes])
    held.close()
    assert.deepEqual(saved, [[slot, 0, 0, 0, 1, 0, 0, 0, slot, 0, 0, 0, 0, 0, 0, 0]])
  })

  it('finds survivors between what was dead when it was loaded', () => {
    let subject = new Subject()
    const slots = Array.from({ length: 400 }, (_, at) => subject.add((at * 37) % 300))
    for (const [at, slot] of slots.entries()) if (at % 3 !== 0) subject.remove(slot)
    subject = loaded(subject)
    subject.check()
    for (const [at, slot] of slots.entries()) if (at % 3 === 0 && at % 7 !== 0) subject.remove(slot)
    const before = subject.payloads.keptBytes
    for (let count = 0; count < 100; count++) subject.remove(subject.add(300))
    assert.ok(subject.payloads.keptBytes < before / 2, 'survivors were copied')
    subject.check()
  })

  it('loses nothing, whatever is added, removed, saved and loaded', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 300 }) }) },
      { weight: 5, arbitrary: fc.record({ remove: fc.nat() }) },
      { weight: 1, arbitrary: fc.constant('load' as const) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let subject = new Subject()
        const twin = new Subject()
        for (const each of steps) {
          if (each === 'load') subject = loaded(subject)
          else if ('add' in each) assert.equal(subject.add(each.add), twin.add(each.add))
          else {
            const slots = [...subject.alive.keys()]
            const slot = slots[each.remove % slots.length]
            if (slot === undefined) continue
            subject.remove(slot)
            twin.remove(slot)
          }
        }
        subject.check()
        assert.deepEqual(subject.payloads.directory, twin.payloads.directory)
        for (const slot of subject.alive.keys()) subject.remove(slot)
        assert.equal(subject.payloads.aliveBytes, 0)
      }),
      runs(300),
    )
  })
})
