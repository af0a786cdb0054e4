import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_TERM } from '@troupe/core'
import { decodeHardState, encodeHardState } from './segment-records.ts'

test('a term that no elections lead to is damage, as is what is no term at all', () => {
  const at = (term: number) => decodeHardState(encodeHardState({ term, vote: 'b', voteIncarnation: 1 }))
  for (const term of [0, 2 ** 31, 2 ** 32 + 1, MAX_TERM]) assert.equal(at(term)?.term, term)
  for (const term of [MAX_TERM + 1, 2 ** 53, -1, 1.5, Number.NaN]) assert.equal(at(term), undefined)
})
