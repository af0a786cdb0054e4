import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { runs } from '../../test/support.ts'
import { PagedWords } from './paged-words.ts'

const PAGE_WORDS = 1 << 14

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('grow' as const), by: fc.constantFrom(3, 20, 9000) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('shrink' as const), by: fc.constantFrom(1, 3, 40) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('zero' as const), by: fc.constantFrom(20, 8000) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('clear' as const), by: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('view' as const), by: fc.constant(0) }) },
)

const bytesOf = (pages: Iterable<Uint8Array>): Uint8Array => Buffer.concat([...pages])

describe('paged words', () => {
  it('are as a list is, whose new words are 0; a view stays as it was', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const words = new PagedWords()
        const list: number[] = []
        let view: (() => Iterable<Uint8Array>) | undefined
        let seen: Uint8Array = new Uint8Array(0)
        for (const [at, { op, by }] of steps.entries()) {
          if (op === 'grow') {
            const first = words.grow(by)
            for (let each = 0; each < by; each++) list.push(words.get(first + each))
            words.set(first, at + 1)
            list[first] = at + 1
          } else if (op === 'shrink') {
            const few = Math.min(by, list.length)
            words.shrink(few)
            list.length -= few
          } else if (op === 'zero') {
            const few = Math.min(by, list.length)
            if (few > 0) words.clearAt(list.length - few, few)
            list.fill(0, list.length - few)
          } else if (op === 'clear') {
            words.clear()
            list.length = 0
          } else {
            words.endView()
            const taken = words.beginView()
            view = () => taken.pages()
            seen = bytesOf(view())
          }
          if (list.length > 0) {
            words.set(list.length - 1, at + 100)
            list[list.length - 1] = at + 100
          }
        }
        assert.deepEqual(bytesOf(words.view().pages()), Buffer.from(new Uint32Array(list).buffer))
        if (view !== undefined) assert.deepEqual(bytesOf(view()), seen)
      }),
      runs(60),
    )
  })

  it('take in pages after they were cleared', () => {
    const words = new PagedWords()
    words.grow(5)
    words.set(4, 7)
    words.clear()
    words.restorePage(new Uint8Array(new Uint32Array(PAGE_WORDS).fill(3).buffer))
    words.restorePage(new Uint8Array(new Uint32Array(2).fill(4).buffer))
    assert.deepEqual([words.length, words.get(0), words.get(PAGE_WORDS + 1)], [PAGE_WORDS + 2, 3, 4])
  })
})
