import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { KeptFaults } from '@troupe/cluster'
import { NodeBoard } from './node-board.ts'
import type { ProcessNodes } from './process-nodes.ts'
import type { NodeFaultRequest } from './protocol.ts'

const directory = mkdtempSync(join(tmpdir(), 'troupe-board-'))
after(() => rmSync(directory, { recursive: true }))

/** A node whose desk keeps in its directory what it is told, as a real one does. */
function oneNode() {
  const kept = new KeptFaults(directory)
  const calls: string[] = []
  let isUp = true
  const desk = {
    call: async (name: string, ask: { readonly id: string }) => {
      calls.push(`${name} ${ask.id}`)
      const others = kept.read().filter(({ id }) => id !== ask.id)
      const now = name === 'injectFault' ? [...others, ask as NodeFaultRequest] : others
      kept.write(now.map((request) => ({ request: request as never, leftMs: request.forMs })))
    },
  }
  const nodes = {
    isUp: () => isUp,
    isPaused: () => false,
    child: () => desk,
    directoryOf: () => directory,
  } as unknown as ProcessNodes
  const begun: Promise<void>[] = []
  const board = new NodeBoard(
    () => nodes,
    (work) => void begun.push(work),
  )
  return {
    calls,
    board,
    left: () => kept.read().map(({ id }) => id),
    die: () => (isUp = false),
    settled: () => Promise.all(begun.splice(0)),
  }
}

test('what ends while a node is down is not on again at its next start', async () => {
  const { board, calls, left, die, settled } = oneNode()
  const { failpoints, heap } = board.decoratorsOf('n1')
  failpoints?.add(1, { name: 'before-apply', term: 'panic' })
  heap?.add(2, { percent: 50 })
  await settled()
  assert.deepEqual(calls, ['injectFault f-lab-1', 'injectFault f-lab-2'])
  die()
  failpoints?.remove(1)
  await settled()
  assert.deepEqual(left(), ['f-lab-1', 'f-lab-2'], 'nobody is there to be told')
  board.starting('n1')
  assert.deepEqual(left(), ['f-lab-2'])
})
