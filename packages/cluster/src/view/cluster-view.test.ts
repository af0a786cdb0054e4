import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeViews } from './cluster-view.ts'
import type { MemberView } from './status-board.ts'

const seen = (id: string, ageMs: number | null, change: Partial<MemberView> = {}): MemberView => ({
  id,
  standing: 'voter',
  ageMs,
  suspicion: null,
  news: null,
  ...change,
})

test('of each member the latest word stands, with all that suspect it; its standing is told by whoever is furthest', () => {
  const late = [seen('n2', 500, { suspicion: 'link closed' }), seen('n1', 0), seen('n3', null)]
  const furthest = [
    seen('n1', 40),
    seen('n2', 20, { standing: 'learner' }),
    seen('n3', 3000, { suspicion: 'silent' }),
  ]
  const view = mergeViews([
    { id: 'n1', term: 1, commit: 9, view: late },
    { id: 'n2', term: 2, commit: 5, view: furthest },
  ])
  assert.deepEqual(view, [
    { ...seen('n1', 0), suspectedBy: [] },
    { ...seen('n2', 20, { standing: 'learner' }), suspectedBy: ['n1'] },
    { ...seen('n3', 3000, { suspicion: 'silent' }), suspectedBy: ['n2'] },
  ])
  assert.deepEqual(mergeViews([]), [])
})
