import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { type Configuration, EMPTY_CONFIGURATION, type Member, simpleConfiguration } from '@troupe/core'
import { isRemoved, RemovalWatch } from './removal.ts'

const members: readonly Member[] = ['n1', 'n2', 'n3'].map((id) => ({ id, incarnation: 1 }))
const three = simpleConfiguration(members)
const two = simpleConfiguration(members.slice(0, 2))

const own = { id: 'n3', incarnation: 1, configuration: three, configurationIndex: 5 }
interface Seen {
  readonly configuration?: Configuration
  readonly configurationIndex?: number
  readonly isConfigurationCommitted?: boolean
}

const removedBy = (who: Parameters<typeof isRemoved>[0], ...seen: readonly Seen[]): boolean =>
  isRemoved(
    who,
    seen.map((more) => {
      const usual = { configuration: two, configurationIndex: 6, isConfigurationCommitted: true }
      return { running: true, ...usual, ...more }
    }),
  )

describe('a node was removed', () => {
  it('where a later, committed configuration is without it, or with another incarnation of its name', () => {
    assert.equal(removedBy(own, {}), true)
    const again = simpleConfiguration([...members.slice(0, 2), { id: 'n3', incarnation: 2 }])
    assert.equal(removedBy(own, { configuration: again }), true)
  })

  it('not where that is earlier than its own, not committed, or has it', () => {
    assert.equal(removedBy(own, { configurationIndex: 5 }), false)
    assert.equal(removedBy(own, { isConfigurationCommitted: false }), false)
    assert.equal(removedBy(own, { configuration: three }), false)
    // Somebody who lags knows of the removal, and not of what came after it.
    assert.equal(removedBy(own, {}, { configuration: three, configurationIndex: 9 }), false)
    assert.equal(isRemoved(own, [{ running: false, id: 'n1', reason: 'gone' }]), false)
  })

  it('not where it was none yet', () => {
    const waiting = { ...own, configuration: EMPTY_CONFIGURATION, configurationIndex: 0 }
    assert.equal(removedBy(waiting, {}), false)
    assert.equal(removedBy({ ...own, configuration: two, configurationIndex: 3 }, {}), false)
  })
})

describe('a node without a leader', () => {
  it('asks until somebody knows', async () => {
    const answers = [() => Promise.reject(new Error('not reached')), async () => false, async () => true]
    const told = new EventTarget()
    const removed = once(told, 'removed')
    const watch = new RemovalWatch(1, {
      ask: () => (answers.shift() as () => Promise<boolean>)(),
      removed: () => told.dispatchEvent(new Event('removed')),
    })
    watch.leaderChanged(null)
    await removed
    assert.equal(answers.length, 0)
    watch.close()
  })

  it('does not act on an answer once there is a leader', async () => {
    const answer = Promise.withResolvers<boolean>()
    const asked = Promise.withResolvers<void>()
    const watch = new RemovalWatch(1, {
      ask: () => {
        asked.resolve()
        return answer.promise
      },
      removed: () => assert.fail('it has a leader'),
    })
    watch.leaderChanged(null)
    await asked.promise
    watch.leaderChanged('n1')
    answer.resolve(true)
    await answer.promise
    await new Promise((resume) => setImmediate(resume))
    watch.close()
  })
})
