import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import fc from 'fast-check'
import { checkFault } from './check-fault.ts'
import { describeFault } from './describe-fault.ts'
import { fault } from './faults.fixture.ts'
import type { Fault } from './vocabulary.ts'

const numRuns = process.env.TROUPE_FULL ? 20_000 : 1000

/** The field that a fault is refused for. */
function refused(value: unknown): string {
  try {
    checkFault(value)
  } catch (error) {
    assert.ok(RaftError.is(error, 'INVALID_OPTIONS'), String(error))
    assert.ok(error.message.startsWith(error.data.field) && error.data.expected.length > 0)
    return error.data.field
  }
  throw new assert.AssertionError({ message: `${JSON.stringify(value)} was taken` })
}

describe('a fault', () => {
  it('is taken as it is, survives JSON, and is told in one line', () => {
    fc.assert(
      fc.property(fault, (one) => {
        const copy = JSON.parse(JSON.stringify(one)) as Fault
        assert.deepEqual(checkFault(copy), copy)
        const text = describeFault(copy)
        assert.equal(describeFault(one), text)
        assert.match(text, /^[a-z][^\n]*$/)
        assert.ok(!/undefined|NaN|\[object/.test(text), text)
      }),
      { numRuns },
    )
  })

  const wrong: [field: string, value: unknown][] = [
    ['fault', null],
    ['fault', 'crash'],
    ['fault', []],
    ['fault.kind', {}],
    ['fault.kind', { kind: 'explode' }],
    ['fault.kind', { kind: 'toString' }],
    ['fault.kind', { kind: ['crash'] }],
    ['fault.node', { kind: 'crash', node: 'n1' }],
    ['fault.nodes', { kind: 'crash' }],
    ['fault.silent', { kind: 'crash', nodes: 'one', silent: 'yes' }],
    ['fault.silent', { kind: 'restart', nodes: 'one', silent: true }],
    ['fault.forMs', { kind: 'stall', nodes: 'one' }],
    ['fault.nodes', { kind: 'crash', nodes: 'n1' }],
    ['fault.nodes', { kind: 'crash', nodes: [] }],
    ['fault.nodes', { kind: 'crash', nodes: [''] }],
    ['fault.nodes', { kind: 'crash', nodes: ['n1', 'n1'] }],
    ['fault', { kind: 'partition' }],
    ['fault', { kind: 'partition', split: 'one', topology: 'star' }],
    ['fault.split', { kind: 'partition', split: 'thirds' }],
    ['fault.topology', { kind: 'partition', topology: 'ring' }],
    ['fault.direction', { kind: 'partition', topology: 'star', direction: 'both' }],
    ['fault.direction', { kind: 'partition', split: 'one', direction: 'up' }],
    ['fault.groups', { kind: 'partition', groups: [] }],
    ['fault.groups', { kind: 'partition', groups: [['n1'], ['n1']] }],
    ['fault.mode', { kind: 'link' }],
    ['fault.mode', { kind: 'link', mode: 'constructor' }],
    ['fault.timeMs', { kind: 'link', mode: 'slow' }],
    ['fault.timeMs', { kind: 'link', mode: 'jam', timeMs: 5 }],
    ['fault.timeMs', { kind: 'delay', timeMs: -1 }],
    ['fault.timeMs', { kind: 'delay', timeMs: Number.POSITIVE_INFINITY }],
    ['fault.distribution', { kind: 'delay', timeMs: 1, distribution: 'zipf' }],
    ['fault.links', { kind: 'delay', timeMs: 1, links: 'all' }],
    ['fault.links.to', { kind: 'delay', timeMs: 1, links: { from: 'all' } }],
    ['fault.links.via', { kind: 'delay', timeMs: 1, links: { from: 'all', to: 'all', via: 'n1' } }],
    ['fault.percent', { kind: 'loss' }],
    ['fault.percent', { kind: 'loss', percent: 101 }],
    ['fault.percent', { kind: 'loss', percent: '20' }],
    ['fault.percent', { kind: 'loss', percent: 5, gilbertElliott: { toBad: 1, toGood: 1 } }],
    ['fault.gilbertElliott.toGood', { kind: 'loss', gilbertElliott: { toBad: 1 } }],
    ['fault.states.p31', { kind: 'loss', states: { p13: 1, p31: 101 } }],
    ['fault.states.p14', { kind: 'loss', states: { p13: 60, p14: 50 } }],
    ['fault.gilbertElliott', { kind: 'loss', states: { p13: 1 }, gilbertElliott: { toBad: 1, toGood: 1 } }],
    ['fault.mostMs', { kind: 'slot', timeMs: 20, mostMs: 10 }],
    ['fault.frames', { kind: 'slot', timeMs: 20, frames: 0 }],
    ['fault.frames', { kind: 'limit' }],
    ['fault.correlation', { kind: 'reorder', percent: 5, correlation: 101 }],
    ['fault.gap', { kind: 'reorder', percent: 5, gap: 0 }],
    ['fault.bits', { kind: 'corrupt', percent: 5, bits: 1.5 }],
    ['fault.bytesPerSecond', { kind: 'rate', bytesPerSecond: 0 }],
    ['fault.rate', { kind: 'clock', mode: 'rate', nodes: 'all', rate: 0 }],
    ['fault.byMs', { kind: 'clock', mode: 'bump', nodes: 'all', byMs: Number.NaN }],
    ['fault.everyMs', { kind: 'clock', mode: 'step', nodes: 'all', byMs: 1 }],
    ['fault.mode', { kind: 'storage', nodes: 'all', mode: 'melt' }],
    ['fault.count', { kind: 'storage', nodes: 'all', mode: 'bit-flip', count: -1 }],
    ['fault.change', { kind: 'membership', nodes: 'one', change: 'rename' }],
  ]
  for (const [field, value] of wrong) {
    it(`is refused for ${field}: ${JSON.stringify(value)}`, () => {
      assert.equal(refused(value), field)
    })
  }

  it('is told as people would', () => {
    const told: [fault: Fault, text: string][] = [
      [{ kind: 'partition', split: 'halves' }, 'partition halves'],
      [
        { kind: 'partition', groups: [['n1', 'n2'], ['n3']], direction: 'inbound' },
        'partition n1 n2 | n3, inbound',
      ],
      [{ kind: 'loss', percent: 20, correlation: 75 }, 'loss of 20%, correlation 75%'],
      [
        {
          kind: 'delay',
          timeMs: 50,
          jitterMs: 10,
          distribution: 'normal',
          links: { from: ['n1'], to: 'all', direction: 'outbound' },
        },
        'delay of 50 ± 10 ms, normal on n1 → all',
      ],
      [
        { kind: 'link', mode: 'slow', timeMs: 5, links: { from: 'one', to: 'all' } },
        'slow by 5 ms on one ↔ all',
      ],
      [{ kind: 'loss', states: { p13: 1, p31: 20 } }, 'loss by states (p13 1%, p31 20%)'],
      [{ kind: 'slot', timeMs: 5, mostMs: 9, frames: 3 }, 'turns each 5 to 9 ms, 3 frames'],
      [{ kind: 'limit', frames: 50 }, 'limit of 50 frames on their way'],
      [{ kind: 'clock', mode: 'rate', rate: 1.5, nodes: ['n2'] }, 'clock rate × 1.5 at n2'],
      [
        { kind: 'storage', mode: 'bit-flip', count: 3, nodes: 'minority' },
        'storage bit-flip × 3 at minority',
      ],
      [{ kind: 'membership', change: 'replace', nodes: ['n3'] }, 'membership: replace n3'],
      [{ kind: 'transfer' }, 'transfer of leadership'],
      [{ kind: 'wipe', nodes: 'one' }, 'wipe one'],
    ]
    for (const [fault, text] of told) assert.equal(describeFault(checkFault(fault) as Fault), text)
  })
})
