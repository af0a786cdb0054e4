/**
 * Random clusters under random faults, each run derived from one seed: Raft's safety properties after every event,
 * then everything heals and must make progress. To see one run event by event: `TROUPE_SEED=N`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Chaos, newCoverage } from '../test/chaos.ts'

const { TROUPE_SEED: only, TROUPE_FULL: full, TROUPE_SEEDS: seeds, TROUPE_FROM: from } = process.env
const first = Number(only ?? from ?? 1)
const count = only !== undefined ? 1 : Number(seeds ?? (full === '1' ? 10_000 : 300))

test(`safe and live under faults: ${count} seeds from ${first}`, () => {
  const coverage = newCoverage()
  for (let seed = first; seed < first + count; seed++) {
    const trace = only === undefined ? undefined : (line: string) => process.stdout.write(`${line}\n`)
    try {
      new Chaos(seed, coverage, trace).run()
    } catch (error) {
      const reproduce = `TROUPE_SEED=${seed} pnpm test randomized-safety`
      throw new Error(`seed ${seed}: ${(error as Error).message}; reproduce: ${reproduce}`, { cause: error })
    }
  }
  if (count < 100) return
  for (const [what, times] of Object.entries(coverage)) assert.ok(times > 0, `never happened: ${what}`)
})

test('the same seed gives the same run', () => {
  const [one, other] = [1, 2].map(() => {
    const trace: string[] = []
    new Chaos(first, newCoverage(), (line) => trace.push(line)).run()
    return trace
  })
  assert.ok(one !== undefined && one.length > 100)
  assert.deepEqual(one, other)
})
