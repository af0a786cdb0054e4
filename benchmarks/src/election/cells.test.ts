import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError, resolveRaftKnobs } from '@troupe/core'
import { cellsNamed, checkCell, matrixCells, namedCells } from './cells.ts'
import { electionFaultNames, electionFaultOf } from './election-faults.ts'
import { knobsOf, parseTimeouts } from './timeouts.ts'

function refusedField(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    assert.ok(RaftError.is(error, 'INVALID_OPTIONS'))
    return error.data.field
  }
  assert.fail('nothing was refused')
}

describe('cells', () => {
  it('there are twenty with a name of their own, and every fault but one of a pair is among them', () => {
    assert.equal(namedCells.length, 20)
    assert.equal(new Set(namedCells.map(({ name }) => name)).size, 20)
    const unnamed = electionFaultNames.filter((fault) => namedCells.every((cell) => cell.fault !== fault))
    assert.deepEqual(unnamed, ['mute'])
  })

  it('all have timeouts that the engine takes, and nodes enough', () => {
    for (const cell of [...namedCells, ...matrixCells()]) {
      resolveRaftKnobs(knobsOf(cell.timeouts))
      checkCell(cell)
    }
  })

  it('the matrix has each once', () => {
    const names = matrixCells().map(({ name }) => name)
    assert.equal(new Set(names).size, names.length)
    const hopeless = names.filter((name) => /^(slow-disk-.-12|delay-200-.-(12|50|150))-/.test(name))
    assert.deepEqual(hopeless, [], 'where no vote comes in time')
  })

  it('are found by their names, or refused', () => {
    const found = cellsNamed('silent-5, crash-3').map(({ name }) => name)
    assert.deepEqual(found, ['silent-5', 'crash-3'])
    assert.equal(
      refusedField(() => cellsNamed('silent-5,flood')),
      '--cell',
    )
    assert.equal(
      refusedField(() => checkCell({ fault: 'cascade', nodes: 3 })),
      '--nodes',
    )
  })

  it('a cascade leaves a quorum', () => {
    const { rounds } = electionFaultOf('cascade')
    assert.deepEqual([5, 7].map(rounds), [2, 3])
  })
})

describe('timeouts', () => {
  it('are a pair of ms; the heartbeat is a third of the shorter', () => {
    assert.deepEqual(parseTimeouts('150-300', undefined), { minMs: 150, maxMs: 300, heartbeatMs: 50 })
    assert.deepEqual(parseTimeouts('12-24', 5), { minMs: 12, maxMs: 24, heartbeatMs: 5 })
  })

  it('are refused where they are none', () => {
    for (const text of ['150', '300-150', '1-2', 'a-b', '150-300 ms']) {
      assert.equal(
        refusedField(() => parseTimeouts(text, undefined)),
        '--timeouts',
        text,
      )
    }
    assert.equal(
      refusedField(() => parseTimeouts('12-24', 12)),
      '--heartbeat-ms',
    )
  })
})
