import assert from 'node:assert/strict'
import { test } from 'node:test'
import { electFirst } from './first-election.ts'

const never = Number.POSITIVE_INFINITY

/** Whom it asks, until somebody leads at this call. */
async function askedUntil(leadsAt: number, nodes: readonly string[]): Promise<string[]> {
  const asked: string[] = []
  const ask = async (node: string): Promise<void> => void asked.push(node)
  await electFirst(nodes, ask, () => asked.length >= leadsAt, never)
  return asked
}

test('the first is asked, and nobody else where it leads', async () => {
  assert.deepEqual(await askedUntil(1, ['n1', 'n2', 'n3']), ['n1'])
})

test('where requests are lost, or one does not ask, the others are asked, and again', async () => {
  assert.deepEqual(await askedUntil(4, ['n1', 'n2', 'n3']), ['n1', 'n2', 'n3', 'n1'])
})

test('ends with the deadline, with nobody to ask, and with what a node says against it', async () => {
  const asked: string[] = []
  const ask = async (node: string): Promise<void> => void asked.push(node)
  await electFirst(['n1'], ask, () => false, performance.now())
  assert.deepEqual(asked, ['n1'])
  await electFirst([], ask, () => false, never)
  const refuse = () => Promise.reject(new Error('it is dead'))
  await assert.rejects(
    electFirst(['n1'], refuse, () => false, never),
    /it is dead/,
  )
})
