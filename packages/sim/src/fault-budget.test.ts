import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Configuration, type Entry, type Member, simpleConfiguration } from '@troupe/core'
import { type BudgetView, mayLose } from './fault-budget.ts'
import { LogContent } from './log-content.ts'
import type { NodeView } from './world-view.ts'

const [n1, n2, n3, n4] = [1, 2, 3, 4].map((at): Member => ({ id: `n${at}`, incarnation: at })) as [
  Member,
  Member,
  Member,
  Member,
]
const settled = simpleConfiguration([n1, n2, n3], [n4])
const promoted = simpleConfiguration([n1, n2, n3, n4])

/** What one node holds: the terms of its entries, and the configuration in effect for it. */
interface Holding {
  readonly terms: readonly number[]
  readonly configuration?: Configuration
  readonly isWhole?: boolean
}

/** Nodes n1, n2, … that hold this; the first `commitIndex` entries of n1 are committed. */
function worldOf(
  commitIndex: number,
  live: readonly Configuration[],
  holdings: readonly Holding[],
): BudgetView {
  const configurations = new Map<LogContent, Configuration>()
  const nodes = holdings.map(({ terms, configuration = settled, isWhole = true }, at) => {
    const entries = terms.map((term, before) => ({ index: before + 1, term }) as Entry)
    const flushed = new LogContent({ term: 0, vote: '' } as never, { index: 0, term: 0 }, entries)
    configurations.set(flushed, configuration)
    return {
      id: `n${at + 1}`,
      incarnation: at + 1,
      disk: { isWhole, log: { flushed } },
    } as unknown as NodeView
  })
  const at = (index: number): unknown => ({ entry: { term: holdings[0]?.terms[index - 1] } })
  return {
    nodes,
    ledger: { commitIndex, at },
    liveConfigurations: live,
    configurationOf: (content: LogContent) => configurations.get(content),
  } as unknown as BudgetView
}

const losable = (world: BudgetView): string[] =>
  world.nodes.filter((node) => mayLose(world, node)).map(({ id }) => id)

describe('the fault budget', () => {
  test('lets any one go where all hold the same', () => {
    const same = { terms: [1, 1] }
    assert.deepEqual(losable(worldOf(2, [settled], [same, same, same, same])), ['n1', 'n2', 'n3', 'n4'])
  })

  test('keeps an intact majority of voters', () => {
    const same = { terms: [1, 1] }
    const world = worldOf(2, [settled], [same, { ...same, isWhole: false }, same, same])
    assert.deepEqual(losable(world), ['n2', 'n4'])
  })

  test('keeps the one without whom nobody is elected: of the others one asks a voter that has more than it', () => {
    const proposed = { terms: [1, 1], configuration: promoted }
    const isLed = [{ terms: [1, 2] }, { terms: [1] }, proposed, { terms: [1, 2] }]
    assert.deepEqual(losable(worldOf(1, [settled, promoted], isLed)), ['n2', 'n3', 'n4'])
  })

  test('counts on it that what the lost one had sent arrives', () => {
    const proposed = { terms: [1, 1], configuration: promoted }
    const isSent = [{ terms: [1, 2] }, { terms: [1] }, proposed, { terms: [1] }]
    assert.deepEqual(losable(worldOf(1, [settled, promoted], isSent)), ['n2', 'n3', 'n4'])
  })
})
