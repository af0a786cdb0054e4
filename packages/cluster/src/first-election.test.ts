import assert from 'node:assert/strict'
import { test } from 'node:test'
import { electFirst } from './first-election.ts'

const never = Number.POSITIVE_INFINITY

/** How often it asks until somebody leads, by that call. */
async function asksUntil(leadsAt: number): Promise<number> {
  let asked = 0
  const ask = async (): Promise<void> => void asked++
  await electFirst(ask, () => asked >= leadsAt, never)
  return asked
}

test('asks once where that is enough, again where the requests are lost, and not at all where somebody leads', async () => {
  assert.deepEqual([await asksUntil(1), await asksUntil(3), await asksUntil(0)], [1, 3, 0])
})

test('ends with the deadline, and with what the node says against it', async () => {
  let asked = 0
  const ask = async (): Promise<void> => void asked++
  await electFirst(ask, () => false, performance.now() + 60)
  assert.ok(asked >= 1)
  const refuse = () => Promise.reject(new Error('it is dead'))
  await assert.rejects(
    electFirst(refuse, () => false, never),
    /it is dead/,
  )
})
