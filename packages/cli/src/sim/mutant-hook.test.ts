import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import { mutants } from '@troupe/sim'
import { installMutant } from './mutant-hook.ts'
import { runTasks } from './pool.ts'
import type { SimTaskResult } from './worker.ts'

const { signal } = new AbortController()
const task = { seed: 1, seconds: 1, nodes: 3, checkDeterminism: false }

async function run(mutant?: string): Promise<SimTaskResult> {
  const results: SimTaskResult[] = []
  await runTasks([task], (result) => results.push(result), signal, mutant)
  return results[0] as SimTaskResult
}

describe('mutants in a worker', () => {
  it('fail where the sources as they are pass, and say so', async () => {
    const { verdict } = await run()
    assert.equal(verdict, 'pass')
    const result = await run('vote-request-before-flush')
    assert.equal(result.verdict, 'fail')
    assert.equal(result.failure?.invariant, 'nothing told before its flush')
    assert.match(result.reproduce, / --seed 1 .* --mutant vote-request-before-flush$/)
  })

  it('have to be in the table', async () => {
    await assert.rejects(
      installMutant('no-such'),
      (error) =>
        RaftError.is(error, 'INVALID_OPTIONS') && error.message.includes(`one of ${mutants[0]?.name}, `),
    )
  })
})
