import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { Failpoint, parseFailpoint } from './failpoints.ts'
import { numbers } from './faults.fixture.ts'

const never = numbers(0.999)

/** What it does, so many times. */
function kinds(text: string, times: number, random = never): (string | undefined)[] {
  const failpoint = new Failpoint(parseFailpoint('term', text))
  return Array.from({ length: times }, () => failpoint.next(random)?.kind)
}

test('terms are done one after the other, each as often as its count says', () => {
  assert.deepEqual(kinds('2*off->1*panic', 5), ['off', 'off', 'panic', undefined, undefined])
  assert.deepEqual(kinds('1*print->sleep(5)', 3), ['print', 'sleep', 'sleep'])
  assert.deepEqual(kinds('panic', 2), ['panic', 'panic'])
  assert.deepEqual(kinds('off', 1), ['off'])
})

test('a chance holds or not, and a count behind it goes down only where it does', () => {
  assert.deepEqual(kinds('50%sleep(100)', 3, numbers(0.4, 0.6, 0.4)), ['sleep', undefined, 'sleep'])
  assert.deepEqual(kinds('50%1*panic', 4, numbers(0.6, 0.4, 0.4, 0.4)), [
    undefined,
    'panic',
    undefined,
    undefined,
  ])
  assert.deepEqual(kinds('25%panic->print', 2, numbers(0.2, 0.3)), ['panic', 'print'])
})

test('values are integers, texts, true, false, or nothing', () => {
  const value = (text: string): unknown => parseFailpoint('term', text)[0]?.action
  assert.deepEqual(value('return'), { kind: 'return', value: null })
  assert.deepEqual(value('return()'), { kind: 'return', value: null })
  assert.deepEqual(value('return(-5)'), { kind: 'return', value: -5 })
  assert.deepEqual(value('return(true)'), { kind: 'return', value: true })
  assert.deepEqual(value('panic("a \\"b\\" -> c")'), { kind: 'panic', value: 'a "b" -> c' })
  assert.deepEqual(value('sleep(100)'), { kind: 'sleep', forMs: 100 })
  assert.deepEqual(value('sleep("1.5s")'), { kind: 'sleep', forMs: 1500 })
})

test('what is none is refused, with what is expected', () => {
  const refusals: [string, RegExp][] = [
    ['', /terms of gofail/],
    ['explode', /terms of gofail/],
    ['2*', /terms of gofail/],
    ['1*off->', /terms of gofail/],
    ['1.5*off', /whole number/],
    ['101%off', /0% to 100%/],
    ['sleep', /a sleep of at most/],
    ['sleep("1 hour")', /a sleep of at most/],
    ['sleep(60001)', /a sleep of at most/],
    ['return(x)', /an integer, true, false or a text/],
    ['return("x)', /an integer, true, false or a text/],
    ['break', /no debugger/],
  ]
  for (const [text, expected] of refusals) {
    const isRefused = (error: unknown): boolean =>
      RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === 'term' && expected.test(error.message)
    assert.throws(() => parseFailpoint('term', text), isRefused, text)
  }
})
