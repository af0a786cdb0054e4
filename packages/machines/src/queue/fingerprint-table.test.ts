import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { runs } from '../../test/support.ts'
import { fingerprintOf } from './fingerprint.ts'
import { FingerprintTable } from './fingerprint-table.ts'

const utf8 = new TextEncoder()

function printOf(text: string, scope = 0): Uint32Array {
  const bytes = utf8.encode(text)
  const print = new Uint32Array(4)
  fingerprintOf(bytes, 0, bytes.byteLength, scope, print)
  return print
}

const hex = (print: Uint32Array): string =>
  [...print].map((word) => word.toString(16).padStart(8, '0')).join('')

describe('fingerprints', () => {
  it('are those of MurmurHash3', () => {
    assert.equal(hex(printOf('')), '0'.repeat(32))
    // Two that many implementations test.
    assert.equal(
      hex(printOf('The quick brown fox jumps over the lazy dog')),
      '2f1583c3ecee2c675d7bf66ce5e91d2c',
    )
    const text = "I will not buy this tobacconist's, it is scratched."
    assert.equal(hex(printOf(text)), '9b5b7ba2ef3f7866889adeaf00f3f98e')
  })

  it('differ by each byte, by the length and by the scope', () => {
    const texts = ['a', 'b', 'aa', 'a\0', 'a'.repeat(15), 'a'.repeat(16), 'a'.repeat(17), 'a'.repeat(32)]
    const prints = texts.flatMap((text) => [hex(printOf(text)), hex(printOf(text, 1))])
    assert.equal(new Set(prints).size, prints.length)
  })
})

describe('a table of fingerprints', () => {
  it('finds what was added and not removed', () => {
    const step = fc.tuple(fc.boolean(), fc.nat({ max: 300 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const table = new FingerprintTable(1)
        const known = new Map<number, number>()
        for (const [isAdded, number] of steps) {
          const print = printOf(String(number))
          const record = table.find(print)
          assert.equal(record, known.get(number) ?? 0)
          if (isAdded && record === 0) {
            const added = table.add(print)
            assert.equal(table.get(added, 0), 0, 'a body of zeros')
            table.set(added, 0, number + 1)
            known.set(number, added)
          } else if (!isAdded && record !== 0) {
            assert.equal(table.get(record, 0), number + 1)
            table.remove(record)
            known.delete(number)
          }
        }
        assert.equal(table.count, known.size)
        for (const [number, record] of known) assert.equal(table.find(printOf(String(number))), record)
      }),
      runs(200),
    )
  })

  it('grows and shrinks by a bucket at a time', () => {
    const table = new FingerprintTable(1)
    const records = Array.from({ length: 5000 }, (_, number) => table.add(printOf(String(number))))
    assert.ok(table.buckets.length >= 4999)
    for (const record of records.slice(10)) table.remove(record)
    assert.ok(table.buckets.length <= 64, `${table.buckets.length} buckets for 10 records`)
    for (let number = 0; number < 10; number++)
      assert.equal(table.find(printOf(String(number))), records[number])
  })
})
