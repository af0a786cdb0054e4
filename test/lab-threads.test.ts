/**
 * Scenarios on real nodes, on threads of the process: one as a user runs it, and a bug on purpose that has to be found. All that
 * name the engine: with --full.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { loadFiles } from '@troupe/lab'
import { assertSuitePasses, suite } from './lab-suite.ts'
import { checkCauses, checkShivizLog } from './shiviz-log.ts'
import { isFull, until } from './support.ts'
import { TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
after(() => command.remove())

/**
 * A leader that is cut off, and one that dies: enough to have elections, conflicts and answers in doubt. A disk with flipped bits
 * in its log, repaired from the others, and one that has lost what it had flushed.
 */
const short = `
name: short
source: "Jepsen :primaries"
about: A follower dies as it applies, a leader is cut off with its clients, the next one comes back in a far term. A
  disk is damaged and forgets; its node dies of its heap, and once more.
engine: [threads]
cluster: { voters: 3 }
workload: { think: 5ms, deadline: 500ms }
setup: [{ warmup: { writes: 10, within: 60s } }]
phases:
  - failpoint: { target: follower, name: before-apply, term: panic, for: 1s }
  - partition: { split: primaries, for: 700ms }
  - until: { is: leader, within: 10s }
  - term: { target: leader, becomes: 5000000000, downFor: 200ms }
  - until: { is: leader, within: 10s }
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
  - atLeast: { crashes: 5, heapDeaths: 1, termGrowthDuring: 4000000000, electionsDuring: 1, framesLost: 1 }
  - sometimes: [damage repaired from a peer, died at before-apply]
  - figures: { leadersPerTerm: { max: 1 } }
  - linearizable: true
`

/** Consumers that are gone with what they hold, and a leader that dies while sends are on their way. */
const queue = `
name: queue
source: "Jepsen, total-queue"
about: Consumers are gone, a leader dies, and all that was sent is delivered in the end.
engine: [threads]
cluster: { voters: 3 }
workload:
  { kind: queue, clients: 2, think: 5ms, concurrency: 2, deadline: 500ms, queue: { prefetch: 8, lease: 150ms, keyed: 50% } }
setup: [{ warmup: { writes: 10, within: 60s } }]
phases:
  - every: { interval: 50ms..100ms, times: 6, do: [{ abandon: { client: c1 } }, { abandon: { client: c2 } }] }
  - kill: { target: leader, downFor: 100ms }
  - until: { is: leader, within: 10s }
assert:
  - atLeast: { crashes: 1, electionsDuring: 1, deliveries: 10, acks: 1 }
`

/** What results.json says of a case. */
interface Told {
  readonly name: string
  readonly engine: string
  readonly verdict: string
  readonly shown: readonly [{ readonly files: { readonly shiviz: string; readonly events: string } }]
}

const file = (name: string, text: string): string => {
  const path = join(command.scratch, name)
  writeFileSync(path, text)
  return path
}

describe('scenarios on threads', () => {
  test('at least twenty of the suite say that they run there', async () => {
    const loaded = await loadFiles([suite])
    const files = new Set(
      loaded.filter(({ item }) => item.scenario.engine?.includes('threads')).map(({ item }) => item.file),
    )
    assert.ok(files.size >= 20, `${files.size} of them`)
  })

  test('are played, judged and closed: those with a queue by its books', async () => {
    const report = join(command.scratch, 'report')
    const files = [file('short.yaml', short), file('queue.yaml', queue)]
    const { code, stdout, left } = await command.run(
      'run',
      ...files,
      '--engine',
      'threads',
      '--report',
      report,
    )
    assert.equal(code, 0, stdout)
    assert.deepEqual(left, [])
    const { cases } = JSON.parse(readFileSync(join(report, 'results.json'), 'utf8')) as { cases: Told[] }
    assert.deepEqual(
      cases.map(({ name, engine, verdict }) => [name, engine, verdict]),
      [
        ['short', 'threads', 'pass'],
        ['queue', 'threads', 'pass'],
      ],
    )
    const { shiviz, events } = (cases[0] as Told).shown[0].files
    checkShivizLog(join(report, shiviz))
    checkCauses(join(report, events))
  })

  test('show nothing where they could not do what they say, unless they say so', async (t) => {
    if (!isFull) return t.skip('with --full')
    const head = short.slice(0, short.indexOf('phases:'))
    const run = (more: string) =>
      command.run(
        ...['run', file('refused.yaml', `${head}phases: [{ members: { promote: n3${more} } }]\n`)],
        ...['--engine', 'threads'],
      )
    const { code, stdout } = await run('')
    assert.equal(code, 2, stdout)
    assert.match(stdout, /1 of 1 runs show nothing, seed 1: members was refused: /)
    assert.equal((await run(', mayBeRefused: true')).code, 0)
  })

  test('of the suite pass, all of them', async (t) => {
    if (!isFull) return t.skip('with --full')
    await assertSuitePasses(t, command, { engine: 'threads', least: 20, byChance: {} })
  })

  test('fail on a bug on purpose in the nodes, with the invariant and what to type', async () => {
    const { code, stdout, left } = await command.run(
      'run',
      ...[file('mutant.yaml', short), '--engine', 'threads', '--mutant', 'ack-before-flush'],
    )
    assert.equal(code, 1, stdout)
    assert.match(stdout, /nothing told before its flush: appendReply of/)
    assert.match(stdout, /reproduce: pnpm troupe run .* --engine threads .* --mutant ack-before-flush/)
    assert.deepEqual(left, [])
  })

  test('end at Ctrl-C, and leave nothing behind', async () => {
    const text = short.replace('phases:', 'phases:\n  - wait: 100s')
    const temporary = join(command.scratch, 'interrupted')
    const child = command.start(['run', file('long.yaml', text), '--engine', 'threads'], temporary)
    const ended = once(child, 'close')
    // Its nodes have their directories there as soon as they start.
    await until('nodes that start', () => readdirSync(temporary).length > 0)
    child.kill('SIGINT')
    const [code] = await ended
    assert.equal(code, 130)
    assert.deepEqual(readdirSync(temporary), [])
  })
})
