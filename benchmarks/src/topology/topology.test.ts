import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { placeOf, plannedHops } from './planned-hops.ts'
import { longestPauseMs } from './pulse.ts'

const nodes = ['n1', 'n2', 'n3', 'n4', 'n5']

describe('hops by the plan', () => {
  it('of five nodes', () => {
    assert.deepEqual(plannedHops('mesh', nodes), { connections: 10, hopsMean: 1, hopsMax: 1, cutPairs: 0 })
    assert.deepEqual(plannedHops('ring', nodes), { connections: 5, hopsMean: 1.5, hopsMax: 2, cutPairs: 0 })
    assert.deepEqual(plannedHops('star', nodes), { connections: 7, hopsMean: 1.3, hopsMax: 2, cutPairs: 0 })
  })

  it('after a loss: a ring becomes a line, a star keeps a hub', () => {
    const ring = plannedHops('ring', nodes, 'n3')
    assert.deepEqual([ring.connections, ring.hopsMax, ring.cutPairs], [3, 3, 0])
    const star = plannedHops('star', nodes, 'n1')
    assert.deepEqual([star.connections, star.hopsMax, star.cutPairs], [3, 2, 0])
  })

  it('and who relays', () => {
    assert.deepEqual(
      nodes.map((id) => placeOf('star', nodes, id)),
      ['relay', 'relay', 'leaf', 'leaf', 'leaf'],
    )
    assert.equal(placeOf('ring', nodes, 'n4'), 'relay')
    assert.equal(placeOf('mesh', nodes, 'n1'), 'peer')
  })
})

describe('the longest pause', () => {
  it('is the one that ends after the loss, wherever it began', () => {
    assert.equal(longestPauseMs([0, 50, 51, 52, 80, 81], 52.5), 28)
    assert.equal(longestPauseMs([0, 50, 51], 50), 50)
  })

  it('is none where nothing came after it', () => {
    assert.equal(longestPauseMs([0, 1, 2], 3), null)
    assert.equal(longestPauseMs([], 3), null)
  })
})
