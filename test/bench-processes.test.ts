/** `troupe bench` on nodes that are processes, its own and those of somebody else: as a user runs it, with small sizes. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { kv } from '@troupe/machines'
import { withProcesses } from './node-processes.ts'
import { type Ended, TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
const { scratch } = command
after(() => command.remove())

/** Small and quick; the figures mean nothing. */
const small = ['--keys', '500', '--seed', '7']

const run = (...args: readonly string[]): Promise<Ended & { readonly left: string[] }> =>
  command.runHere('bench', ...args)

describe('nodes as processes over TCP', () => {
  const times = ['--seconds', '0.3', '--warmup-seconds', '0.1']

  test('in turns with threads and over TLS, and the ratios', async () => {
    const sizes = ['--engine', 'threads,tcp,tls', '--window', '16', ...times]
    const { code, stdout, stderr, left } = await run('throughput', ...small, ...sizes, '--json', '-')
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    const { headline, verdict, runs, verification, ratios } = JSON.parse(stdout)
    assert.equal(verdict, 'pass')
    const seen = runs.map(
      ({ engine, conditions }: { engine: string; conditions: Record<string, unknown> }) => [
        engine,
        conditions['engine'],
        conditions['tls'],
      ],
    )
    assert.deepEqual(seen, [
      ['threads', 'threads', null],
      ['tcp', 'tcp', false],
      ['tls', 'tcp', true],
    ])
    for (const { actors, commandsPerEntry, lost, duplicated, reordered } of runs) {
      assert.ok(commandsPerEntry >= 1)
      assert.deepEqual(actors.map(({ actor }: { actor: string }) => actor).sort(), ['load', 'n1', 'n2', 'n3'])
      assert.deepEqual([lost, duplicated, reordered], [0, 0, 0])
    }
    for (const engine of ['threads', 'tcp', 'tls']) {
      assert.ok(headline[engine].opsPerSecond > 0)
      assert.ok(verification[engine].digestsEqual)
    }
    assert.deepEqual(
      ratios.map(({ engines }: { engines: string }) => engines),
      ['tcp : threads', 'tls : tcp'],
    )
    assert.match(stderr, /tcp : threads +16 +1 +\d+\.\d\d/)
  })

  test('their settings, a sustained fault, stages and profiles reach them', async () => {
    const profiles = join(scratch, 'tcp-profiles')
    const knobs = ['--linger-ms', '30', '--durability', 'acked-before-flush', '--fault', 'delay']
    const looks = ['--stages', '--profile', profiles]
    const load = ['--rate', '200', '--seconds', '1', '--warmup-seconds', '0.1']
    const sizes = ['--engine', 'tcp', ...load, ...knobs, ...looks]
    const { code, stdout, stderr } = await run('latency', ...small, ...sizes, '--json', '-')
    assert.equal(code, 0, stderr)
    const { runs, headline } = JSON.parse(stdout)
    const [{ latencyMs, conditions, stages, profiles: actors, aroundFault }] = runs
    assert.ok(latencyMs.max >= 30, 'the leader waits for more commands')
    assert.ok(latencyMs.p50 >= 16, 'the way and back')
    assert.deepEqual([conditions.lingerMs, conditions.durability], [30, 'acked-before-flush'])
    assert.deepEqual([conditions.fault, conditions.faultBy], ['delay', 'decorators'])
    assert.deepEqual(Object.keys(aroundFault), ['before', 'during', 'after'])
    assert.ok(stages.frames > 0 && stages.nodes.length === 3)
    assert.deepEqual(actors.map(({ actor }: { actor: string }) => actor).sort(), ['load', 'n1', 'n2', 'n3'])
    assert.equal(readdirSync(profiles).length, 4)
    assert.deepEqual([headline.stages, headline.profiles], [undefined, undefined])
  })

  test('SIGKILL and SIGSTOP of the leader', async () => {
    const sizes = ['--engine', 'tcp', '--cells', 'all', '--trials', '1', '--rate', '200']
    const { code, stdout, stderr, left } = await run('election', ...small, ...sizes, '--json', '-')
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    const { runs, headline, configuration } = JSON.parse(stdout)
    assert.equal(configuration.engine, 'tcp')
    assert.deepEqual(Object.keys(headline), ['kill-3', 'stop-3'])
    for (const { victim, leader, timeToLeaderMs, timeToFirstCommitMs } of runs) {
      assert.notEqual(victim, leader)
      assert.ok(timeToLeaderMs > 0 && timeToFirstCommitMs >= timeToLeaderMs)
    }
  })

  test('Ctrl-C while the leader stands still leaves no process behind', async () => {
    const sizes = ['--engine', 'tcp', '--fault', 'pause', '--trials', '50', '--rate', '200']
    const { code, left } = await command.interrupt(/pause, 3 nodes/, 'bench', 'election', ...small, ...sizes)
    assert.equal(code, 130)
    assert.deepEqual(left, [])
  })

  test('killed and started again at random, as often as was said', async () => {
    const pauses = ['--min-pause-ms', '10', '--max-pause-ms', '20']
    const sizes = ['--engine', 'tls', '--crashes', '2', ...pauses, '--rate', '300']
    const { code, stdout, stderr, left } = await run('churn', ...small, ...sizes, '--json', '-')
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    const { headline, verification } = JSON.parse(stdout)
    assert.deepEqual([headline.crashes, headline.lost, headline.duplicated], [2, 0, 0])
    assert.ok(verification.digestsEqual)
  })

  test('heartbeats while a snapshot and large appends go out', async () => {
    const sizes = ['--snapshot-mib', '2', '--seconds', '0.3', '--idle-seconds', '0.3', '--size', '4096']
    const { code, stdout, stderr, left } = await run('heartbeat', ...sizes, '--keys', '50', '--json', '-')
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    const { runs, intervalMs } = JSON.parse(stdout)
    assert.equal(intervalMs, 50)
    assert.deepEqual(
      runs.map(({ phase }: { phase: string }) => phase),
      ['idle', 'snapshot transfer', 'append burst'],
    )
    const [idle, transfer] = runs
    for (const { delayMs, roundTripMs } of runs) {
      assert.ok(delayMs.samples > 0 && delayMs.p50 >= 0 && roundTripMs.p50 >= delayMs.p50 / 2)
    }
    assert.ok(transfer.peerBytes > 2 << 20 && idle.peerBytes < 1 << 20, 'the whole snapshot went out')
  })
})

describe('a cluster that runs already', () => {
  test(
    'is loaded beside the data of others, which the check does not take for its own',
    withProcesses(['n1', 'n2', 'n3'], async (processes) => {
      await processes.startAll()
      await using client = await processes.client({ timeoutMs: 60_000 })
      // What an earlier load of ours would have written.
      for (let key = 0; key < 20; key++) await client.propose(kv.set(`k${key}`, 'of somebody else'))
      const times = ['--seconds', '0.3', '--warmup-seconds', '0.1']
      const where = ['--connect', Object.values(processes.peers).join(','), '--keys', '500']
      const { code, stdout, stderr } = await run(
        'throughput',
        ...where,
        '--window',
        '16',
        ...times,
        '--json',
        '-',
      )
      assert.equal(code, 0, stderr)
      const [{ conditions, lost, duplicated, reordered, commands }] = JSON.parse(stdout).runs
      assert.ok(commands > 0)
      assert.deepEqual([lost, duplicated, reordered], [0, 0, 0])
      assert.deepEqual(
        [conditions.engine, conditions.nodes, conditions.maxBatchBytes],
        ['connected', 3, null],
      )
      assert.equal(await client.query(kv.count()), 20, 'what it wrote is gone again')

      const latency = await run('latency', ...where, '--rate', '200', ...times, '--json', '-')
      assert.equal(latency.code, 0, latency.stderr)
      assert.equal(JSON.parse(latency.stdout).headline.lost, 0)
    }),
  )
})
