import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusals } from './refusals.ts'

test('a step of which nothing came but refusals has not happened; one deed of it that was done is enough', () => {
  const refusals = new Refusals()
  const members = { add: 'n4' }
  refusals.deedOf('members', members).refused('the configuration is joint')
  assert.equal(refusals.undone, 'members was refused: the configuration is joint')
  refusals.deedOf('members', members).begun()
  assert.equal(refusals.undone, undefined)
  refusals.deedOf('members', { add: 'n4' }).refused('nobody leads')
  assert.equal(refusals.undone, 'members was refused: nobody leads', 'that is another step')
})

test('what was only begun counts until it is refused; what may be refused says nothing', () => {
  const refusals = new Refusals()
  const deed = refusals.deedOf('transfer', { to: 'n2' })
  deed.begun()
  assert.equal(refusals.undone, undefined)
  deed.refused('n2 is behind')
  assert.equal(refusals.undone, 'transfer was refused: n2 is behind')
  const lenient = new Refusals()
  lenient.deedOf('transfer', { to: 'n2', mayBeRefused: true }).refused('n2 is behind')
  assert.equal(lenient.undone, undefined)
})
