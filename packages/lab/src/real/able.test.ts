import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseText } from '../scenario/document.ts'
import { onEngine } from '../scenario/knobs.ts'
import { casesOf } from '../scenario/read-scenario.ts'
import { SimEngine } from '../sim/sim-engine.ts'
import { TcpEngine } from '../tcp/tcp-engine.ts'
import { ThreadsEngine } from '../threads/threads-engine.ts'

async function read(text: string) {
  const [item] = await casesOf(parseText('a.yaml', text), { sources: [] })
  assert.ok(item !== undefined)
  return item
}

describe('what an engine with real nodes cannot do', () => {
  test('is told with its place before anything runs: steps, situations that nobody sees', async () => {
    const item = await read(`
name: a
engine: [sim, threads]
phases:
  - disk: { target: n1, mode: lie }
  - every: { interval: 1s, times: 2, do: [{ flap: { from: n1, to: n2 } }] }
  - until: { reached: corrupted frame dropped, within: 1s }
assert:
  - sometimes: [vote lost before its flush, split vote]
  - only: { engines: [sim], assert: [{ never: [rollback proven by a leader] }] }
`)
    const problems = new ThreadsEngine().unable(item).map((problem) => item.place(problem))
    assert.deepEqual(
      problems.map(({ line, value }) => `${line} ${value}`),
      ['5 disk', '6 flap', '7 corrupted frame dropped', '9 vote lost before its flush'],
    )
  })

  test('to files: nodes that keep none of them, and logs that are taken back under a state on the disk', async () => {
    const phases =
      'phases: [{ damage: { target: n1, what: entry } }, { rollBack: { target: n1, entries: 2, downFor: 1s } }]'
    const told = async (cluster: string) => {
      const item = await read(`name: a\ncluster: ${cluster}\n${phases}\n`)
      return new ThreadsEngine().unable(item).map(({ value }) => value)
    }
    assert.deepEqual(await told('{ voters: 3 }'), [])
    assert.deepEqual(await told('{ durability: memory }'), ['damage', 'rollBack'])
    assert.deepEqual(await told('{ stateOnDisk: true }'), ['rollBack'])
  })

  test('is a disk that lies, and what dies with nothing but memory; a queue and who consumes it are fine', async () => {
    const refusals = async (text: string): Promise<string[]> => {
      const item = await read(`name: a\n${text}`)
      const problems = new ThreadsEngine().unable(item).map((problem) => item.place(problem))
      return problems.map(({ line, value }) => `${line} ${value}`)
    }
    assert.deepEqual(await refusals('phases: [{ disk: { target: n1, mode: lie, for: 1s } }]\n'), ['2 disk'])
    const queue = 'workload: { kind: queue }\nphases:\n  - abandon: { client: c1 }\n'
    assert.deepEqual(await refusals(queue), [])
    assert.deepEqual(
      await refusals(
        'cluster: { durability: memory }\nphases:\n  - kill: { target: n1 }\n  - wipe: { target: n1 }\n  - pause: { target: n1, for: 1s }\n',
      ),
      ['4 kill', '5 wipe'],
    )
  })

  test('differs: who dies silently, what only a heap or a turn of real time can do, what loses a directory', async () => {
    const item = await read(`
name: a
phases:
  - kill: { target: n1, silent: true }
  - failpoint: { target: n1, name: before-save, term: 50%sleep(100) }
  - failpoint: { target: n1, name: before-change, term: 1*off->panic }
  - heap: { target: n1, percent: 90% }
  - outOfMemory: { target: n1 }
  - crashLoop: { target: n1, after: 1ms }
  - term: { target: n1, becomes: 9007199254740991, downFor: 1s }
  - members: { replace: n1 }
`)
    const linesOf = (problems: readonly Parameters<typeof item.place>[0][]): string[] =>
      problems.map((problem) => item.place(problem)).map(({ line, value }) => `${line} ${value}`)
    const onThreads = ['10 9007199254740991']
    assert.deepEqual(linesOf(new ThreadsEngine().unable(item)), onThreads)
    assert.deepEqual(linesOf(new TcpEngine().unable(item)), ['4 true', ...onThreads])
    assert.deepEqual(linesOf(new SimEngine().unable(item)), ['5 50%sleep(100)', '7 heap'])
    const inMemory = await read(
      'name: a\ncluster: { durability: memory }\nphases:\n  - failpoint: { target: n1, name: start, term: panic }\n  - members: { replace: n1 }\n  - outOfMemory: { target: n1 }\n',
    )
    assert.deepEqual(linesOf(new ThreadsEngine().unable(inMemory)), [
      '4 failpoint',
      '5 members',
      '6 outOfMemory',
    ])
  })

  test('is a figure that no node tells of, frames of clients that come twice, a state on the disk behind no log', async () => {
    const item = await read(`
name: a
engine: [sim, threads, tcp]
cluster: { stateOnDisk: true }
overrides: { threads: { cluster: { durability: memory } } }
phases:
  - network: { duplicate: 5%, on: { from: clients, to: all }, for: 1s }
  - network: { duplicate: 5%, for: 1s }
assert:
  - figures: { acknowledgedLost: { max: 0 } }
  - atLeast: { framesLost: 1, heapDeaths: 1 }
  - only: { engines: [sim], assert: [{ figures: { acknowledgedLost: { max: 0 } } }] }
`)
    const told = (engine: { unable: SimEngine['unable'] }): string[] =>
      engine
        .unable(item)
        .map((problem) => item.place(problem))
        .map(({ line, path }) => `${line} ${path.at(-1)}`)
    assert.deepEqual(told(new ThreadsEngine()), ['4 stateOnDisk', '7 duplicate', '10 acknowledgedLost'])
    assert.deepEqual(told(new TcpEngine()), [
      '7 duplicate',
      '8 duplicate',
      '10 acknowledgedLost',
      '11 framesLost',
    ])
    assert.deepEqual(told(new SimEngine()), ['11 heapDeaths'])
  })

  test('is told of the options that are in effect there', async () => {
    const item = await read(`name: a
overrides: { sim: { cluster: { durability: memory } } }
phases: [{ wait: 1s }]
`)
    assert.deepEqual(
      new SimEngine().unable(item).map(({ value }) => value),
      ['memory'],
    )
  })

  test('is nothing of what the file says of other engines', async () => {
    const item = await read(`
name: a
engine: [sim, threads]
cluster: { electionMs: [150, 300], voters: 5 }
seeds: { base: 7, runs: 40 }
overrides: { threads: { cluster: { electionMs: [400, 800] }, seeds: { runs: 2 } } }
phases: [{ wait: 1s }]
assert:
  - sometimes: [split vote]
  - only: { engines: [threads], assert: [{ never: [split vote] }] }
`)
    assert.deepEqual(new ThreadsEngine().unable(item), [])
    const onThreads = onEngine(item.scenario, 'threads')
    assert.deepEqual(onThreads.cluster?.electionMs, [400, 800])
    assert.equal(onThreads.cluster?.voters, 5)
    assert.deepEqual(onThreads.seeds, { runs: 2 }, 'many runs are for virtual time')
    assert.deepEqual(onEngine(item.scenario, 'sim').seeds, { base: 7, runs: 40 })
    assert.deepEqual(onThreads.assert, [{ sometimes: ['split vote'] }, { never: ['split vote'] }])
    assert.deepEqual(onEngine(item.scenario, 'sim').assert, [{ sometimes: ['split vote'] }])
    assert.deepEqual(onEngine(item.scenario, 'sim').cluster?.electionMs, [150, 300])
  })
})
