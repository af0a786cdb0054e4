/**
 * Scenarios on real nodes that are processes, over TCP: one as a user runs it, through the fault proxy; what is refused before
 * anything runs; and that nothing is left. All that name the engine, and one on real networks: with --full.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { loadFiles } from '@troupe/lab'
import { namespaceHost } from './another-host.ts'
import { assertSuitePasses, suite } from './lab-suite.ts'
import { isFull, until } from './support.ts'
import { TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
after(() => command.remove())

/** A leader that is cut off, connections that break off, a leader that is killed, a disk with flipped bits and one that forgets. */
const short = `
name: short
source: "Jepsen :primaries; toxiproxy, reset_peer"
about: A follower dies as it applies, a leader is cut off, connections of clients are reset, the next leader dies, a disk is damaged and forgets.
engine: [tcp]
cluster: { voters: 3, electionMs: [250, 450] }
workload: { think: 5ms, deadline: 500ms }
setup: [{ warmup: { writes: 10, within: 60s } }]
phases:
  - failpoint: { target: follower, name: before-apply, term: panic, for: 1s }
  - partition: { split: primaries, for: 700ms }
  - toxic: { type: reset_peer, from: clients, to: all, attributes: { timeout: 0ms }, for: 20ms }
  - until: { is: leader, within: 20s }
  - term: { target: leader, becomes: 5000000000, downFor: 100ms }
  - until: { is: leader, within: 20s }
  - until: { is: whole, within: 20s }
  - select: { victim: follower }
  - damage: { target: victim, what: entry, back: 6, count: 2 }
  - outOfMemory: { target: victim, downFor: 50ms }
  - until: { reached: damage repaired from a peer, within: 20s }
  - until: { is: settled, within: 5s, else: continue }
  - rollBack: { target: victim, entries: 2, downFor: 50ms }
  - until: { is: settled, within: 5s, else: continue }
  - crashLoop: { target: victim, after: 1ms, for: 10ms }
assert:
  - sometimes: [check-quorum deposed a leader, damage repaired from a peer, died at before-apply]
  - atLeast: { crashes: 5, heapDeaths: 1, termGrowthDuring: 4000000000, electionsDuring: 2 }
  - figures: { leadersPerTerm: { max: 1 } }
  - linearizable: true
`

const file = (name: string, text: string): string => {
  const path = join(command.scratch, name)
  writeFileSync(path, text)
  return path
}

/** Namespaces of laboratories. */
const namespaces = (): readonly string[] =>
  execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith('troupe-lab-'))

describe('scenarios over TCP', () => {
  test('at least twelve of the suite say that they run there', async () => {
    const loaded = await loadFiles([suite])
    const files = loaded.filter(({ item }) => item.scenario.engine?.includes('tcp'))
    assert.ok(new Set(files.map(({ item }) => item.file)).size >= 12)
  })

  test('are played on processes, judged and closed', async () => {
    const json = join(command.scratch, 'short.json')
    const path = file('short.yaml', short)
    const { code, stdout, left } = await command.run('run', path, '--engine', 'tcp', '--json', json)
    assert.equal(code, 0, stdout)
    assert.deepEqual(left, [])
    const { cases } = JSON.parse(readFileSync(json, 'utf8'))
    assert.deepEqual([cases.length, cases[0].engine, cases[0].verdict], [1, 'tcp', 'pass'])
  })

  test('of the suite pass, all of them', async (t) => {
    if (!isFull) return t.skip('with --full')
    await assertSuitePasses(t, command, { engine: 'tcp', least: 12, byChance: {} })
  })

  test('are refused with their place where streams cannot do that, and nothing is run', async () => {
    const wrong = short.replace('  - until', '  - network: { duplicate: 5%, for: 1s }\n  - until')
    const { code, stdout, stderr } = await command.run('run', file('wrong.yaml', wrong), '--engine', 'tcp')
    assert.equal(code, 64, stderr)
    assert.equal(stdout, '', 'nothing was run')
    const line = /wrong\.yaml:13:16: phases\[3\]\.network\.duplicate is 5; expected none on tcp \(TCP brings/
    assert.match(stderr, line)
  })

  test('end at Ctrl-C, and leave nothing behind', async () => {
    const text = short.replace('phases:', 'phases:\n  - wait: 100s')
    const temporary = join(command.scratch, 'interrupted')
    const child = command.start(['run', file('long.yaml', text), '--engine', 'tcp'], temporary)
    const ended = once(child, 'close')
    const hasNodes = (): boolean => {
      const [directory] = readdirSync(temporary)
      return directory !== undefined && readdirSync(join(temporary, directory)).includes('n1.log')
    }
    await until('processes that start', hasNodes)
    child.kill('SIGINT')
    const [code] = await ended
    assert.equal(code, 130)
    assert.deepEqual(readdirSync(temporary), [])
  })

  test('are played on real networks too, which are gone afterwards', async (t) => {
    if (!isFull) return t.skip('with --full')
    const host = namespaceHost()
    if (typeof host === 'string') return t.skip(`no network namespace can be made here: ${host}`)
    host.close()
    const path = file('short.yaml', short)
    const { code, stdout, left } = await command.run(
      'run',
      path,
      '--engine',
      'tcp',
      '--network',
      'namespaces',
    )
    assert.equal(code, 0, stdout)
    assert.deepEqual([left, namespaces()], [[], []])
  })
})
