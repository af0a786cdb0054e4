import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from './errors.ts'
import { RestartBudget, type RestartPolicy, resolveRestartPolicy } from './restart-policy.ts'

const policy = resolveRestartPolicy({
  initialDelayMs: 100,
  factor: 2,
  maxDelayMs: 500,
  maxRestarts: 4,
  withinMs: 1_000,
})

function delays(budget: RestartBudget, nowMs: readonly number[]): (number | 'quarantine')[] {
  return nowMs.map((now) => {
    const decision = budget.failed(now)
    return decision.kind === 'restart' ? decision.delayMs : decision.kind
  })
}

describe('RestartBudget', () => {
  it('backs off exponentially up to a greatest delay, then quarantines', () => {
    const almostOne = () => 1
    const budget = new RestartBudget(policy, almostOne)
    assert.deepEqual(delays(budget, [0, 1, 2, 3, 4]), [100, 200, 400, 500, 'quarantine'])
  })

  it('takes up to half of the delay off by chance', () => {
    assert.deepEqual(delays(new RestartBudget(policy, () => 0), [0, 1]), [50, 100])
  })

  it('forgets failures that are older than the window, and all on reset', () => {
    const budget = new RestartBudget(policy, () => 1)
    assert.deepEqual(delays(budget, [0, 600, 1_200, 1_800]), [100, 200, 200, 200])
    budget.reset()
    assert.deepEqual(delays(budget, [1_801]), [100])
  })

  it('refuses a policy that makes no sense, with the field in the error', () => {
    const wrong: [Partial<RestartPolicy>, string][] = [
      [{ factor: 0.5 }, 'restart.factor'],
      [{ initialDelayMs: -1 }, 'restart.initialDelayMs'],
      [{ initialDelayMs: 200, maxDelayMs: 100 }, 'restart.maxDelayMs'],
      [{ maxRestarts: Number.NaN }, 'restart.maxRestarts'],
      [{ mode: 'always' as 'never' }, 'restart.mode'],
    ]
    for (const [part, field] of wrong) {
      const isRight = (error: unknown) => RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === field
      assert.throws(() => resolveRestartPolicy(part), isRight)
    }
  })
})
