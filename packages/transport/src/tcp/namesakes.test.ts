import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Namesakes } from './namesakes.ts'

test('a start that comes back after another one has replaced it is refused', () => {
  const namesakes = new Namesakes()
  namesakes.linked('a', 1)
  namesakes.linked('a', 1)
  assert.equal(namesakes.refusalOf('a', 1), undefined, 'a link that comes again')
  namesakes.linked('a', 2)
  assert.equal(namesakes.refusalOf('a', 2), undefined)
  assert.equal(namesakes.refusalOf('a', 3), undefined, 'a later start')
  assert.equal(namesakes.refusalOf('b', 1), undefined, 'another name')
  assert.match(namesakes.refusalOf('a', 1) ?? '', /two nodes run with the name "a"/)
})

test('a start that asks for a link, and at whose address another one answers, is refused from then on', () => {
  const namesakes = new Namesakes()
  namesakes.asked('a', 5, 5)
  assert.equal(namesakes.refusalOf('a', 5), undefined)
  namesakes.asked('a', 6, 5)
  assert.match(namesakes.refusalOf('a', 6) ?? '', /two nodes/)
})

test('what is remembered is bounded', () => {
  const namesakes = new Namesakes()
  for (let boot = 1; boot <= 100; boot++) namesakes.linked('a', boot)
  assert.equal(namesakes.refusalOf('a', 1), undefined)
  assert.match(namesakes.refusalOf('a', 99) ?? '', /two nodes/)
  for (let name = 1; name <= 1000; name++) {
    namesakes.linked(`made up ${name}`, 1)
    namesakes.linked(`made up ${name}`, 2)
  }
  assert.equal(namesakes.refusalOf('made up 1', 1), undefined)
  assert.match(namesakes.refusalOf('made up 1000', 1) ?? '', /two nodes/)
})
