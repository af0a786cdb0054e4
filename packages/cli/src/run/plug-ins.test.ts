/** Plug-ins as a user has them: modules named by a path in the file, and an engine named on the command line. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { troupe } from '../in-process.fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'troupe-plug-ins-'))
after(() => rmSync(folder, { recursive: true }))

const write = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const run = (...args: readonly string[]) => troupe('run', ...args)

write(
  'mine.mjs',
  `
let isClosed = false
const figures = {}
const engine = {
  name: 'mine',
  defaultSeeds: { base: 7, runs: 2 },
  unable: ({ scenario }) =>
    scenario.phases.flatMap((step, at) =>
      'kill' in step ? [{ path: ['phases', at], value: 'kill', expected: 'nothing that kills' }] : []),
  run: async ({ item, seeds, onRun }) => {
    if (isClosed) throw new Error('run after it was closed')
    for (const seed of seeds) {
      onRun({
        seed, verdict: 'pass', failure: undefined, reason: undefined, events: 1, elapsedMs: 1,
        situations: {}, figures, applied: item.scenario.cluster.voters, skipped: 0,
        isHistoryDecided: true, traceHash: undefined, timeline: undefined,
      })
    }
  },
  reproduce: (item, seed) => 'mine ' + seed,
  close: async () => { isClosed = true; globalThis.closedEngines = (globalThis.closedEngines ?? 0) + 1 },
}
export const engines = [engine]
export const assertions = [{
  name: 'steps were done',
  check: (runs, least) => [{
    name: 'steps were done',
    verdict: runs.every(({ applied }) => applied >= least) ? 'pass' : 'fail',
    text: 'by ' + runs.length + ' runs',
  }],
}]
export const dataSources = [{
  name: 'words',
  accepts: (file) => file.endsWith('.words'),
  load: async () => [{ voters: 3 }, { voters: 5 }],
}]
`,
)

const scenario = (more: string): string =>
  `name: on mine\nengine: [mine]\nplugins: [./mine.mjs]\nphases: [${more}]\n`

describe('an engine of a plug-in', () => {
  test('runs what names it, with rows and assertions of the same module, and is closed', async () => {
    write('rows.words', '')
    const file = write(
      'a.yaml',
      `${scenario('{ wait: 1ms }')}parameters: { file: rows.words }\ncluster: { voters: "\${voters}" }\nassert: [{ custom: { name: steps were done, with: 4 } }]\n`,
    )
    const { code, stdout, stderr } = await run(file, '--engine', 'mine')
    assert.equal(stderr, '')
    assert.match(stdout, /fail\s+on mine \[voters=3\]/)
    assert.match(stdout, /pass\s+on mine \[voters=5\]/)
    assert.equal(code, 1)
    assert.equal((globalThis as { closedEngines?: number }).closedEngines, 1)
  })

  test('says before anything runs what it cannot do', async () => {
    const file = write('b.yaml', scenario('{ kill: { target: leader } }'))
    const { code, stderr, stdout } = await run(file, '--engine', 'mine')
    assert.match(stderr, /b\.yaml:4:\d+: phases\[0\] is "kill"; expected nothing that kills/)
    assert.deepEqual([code, stdout], [64, ''])
  })

  test('is known only where a file brings it', async () => {
    const file = write('c.yaml', 'name: c\nphases: [{ wait: 1ms }]\n')
    const { code, stderr } = await run(file, '--engine', 'mine')
    assert.match(stderr, /^troupe: --engine is "mine"; expected sim or threads or tcp\n$/)
    assert.equal(code, 64)
    const other = await run(write('d.yaml', scenario('{ wait: 1ms }')), '--engine', 'yours')
    assert.match(other.stderr, /^troupe: --engine is "yours"; expected sim or threads or tcp or mine\n$/)
  })

  test('is there for large files too', async () => {
    const padding = `# ${'字'.repeat(998)}\n`.repeat(600)
    const file = write('e.yaml', `${scenario('{ kill: { target: leader } }')}${padding}`)
    const { code, stderr } = await run(file, '--engine', 'mine')
    assert.match(stderr, /expected nothing that kills/)
    assert.equal(code, 64)
  })
})
