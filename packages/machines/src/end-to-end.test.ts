import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import fc from 'fast-check'
import { FakeCluster } from '../test/fake-cluster.ts'
import { runs, stateOf } from '../test/support.ts'
import type { SessionLimits } from './sessions.ts'

/** What a caller may be told about a command that was, or was not, applied. */
type Verdict = 'applied' | 'perhaps' | 'never'

/** The verdict of what a call was told; checks that results are those of the history. */
function verdictOf(told: unknown, error: RaftError | undefined, place: number | undefined): Verdict {
  const refusal = error ?? (told instanceof RaftError ? told : undefined)
  if (refusal === undefined) {
    assert.equal(told, place)
    return 'applied'
  }
  if (RaftError.is(refusal, 'REJECTED')) {
    assert.equal(refusal.data.reason, `refused at ${place}`)
    return 'applied'
  }
  if (refusal.code === 'INDETERMINATE') return 'perhaps'
  assert.ok(['TIMEOUT', 'ABORTED', 'NO_SPACE'].includes(refusal.code), refusal.code)
  return 'never'
}

function checkWorld(world: FakeCluster): void {
  const [first] = world.nodes
  assert.ok(first)
  for (const { machine } of world.nodes) assert.equal(stateOf(machine), stateOf(first.machine))
  const places = new Map<string, number>()
  const last = [0, 0]
  for (const [index, [client, number]] of first.chronicle.history.entries()) {
    assert.ok(
      number > (last[client] as number),
      `command ${number} of client ${client} after ${last[client]}`,
    )
    last[client] = number
    places.set(`${client}/${number}`, index + 1)
  }
  for (const { calls } of world.clients) {
    for (const { caller, commands } of calls) {
      assert.equal(caller.settlements, 1)
      for (const [offset, [client, number]] of commands.entries()) {
        const place = places.get(`${client}/${number}`)
        const told =
          caller.commands === undefined ? caller.value : (caller.value as unknown[] | undefined)?.[offset]
        const verdict = verdictOf(told, caller.error, place)
        if (verdict === 'applied')
          assert.ok(place !== undefined, `command ${number} was acknowledged and is lost`)
        if (verdict === 'never') assert.equal(place, undefined, `command ${number} was applied after all`)
      }
    }
  }
}

function play(seed: number, steps: number, limits: SessionLimits, isForwarding = false): FakeCluster {
  const world = new FakeCluster(seed, limits, isForwarding)
  for (let step = 0; step < steps; step++) world.step()
  world.heal()
  checkWorld(world)
  return world
}

describe('clients, gateways and replicas on an unreliable network', () => {
  it('apply each command at most once, in order, and tell the truth about it', () => {
    const limits = { maxSessions: 100, maxUnconfirmedCommands: 1000, sessionTtlMs: 0 }
    fc.assert(
      fc.property(fc.nat(), (seed) => void play(seed, 1200, limits)),
      runs(100),
    )
  })

  it('do so where sessions are pushed out and results are not kept for long', () => {
    const limits = { maxSessions: 2, maxUnconfirmedCommands: 30, sessionTtlMs: 200 }
    fc.assert(
      fc.property(fc.nat(), (seed) => void play(seed, 1200, limits)),
      runs(100),
    )
  })

  it('do so where a session keeps the results of fewer commands than one frame has', () => {
    const limits = { maxSessions: 100, maxUnconfirmedCommands: 3, sessionTtlMs: 0 }
    fc.assert(
      fc.property(
        fc.nat(),
        fc.boolean(),
        (seed, isForwarding) => void play(seed, 1200, limits, isForwarding),
      ),
      runs(100),
    )
  })

  it('do so through nodes that forward', () => {
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), (seed, isScarce) => {
        const limits = isScarce
          ? { maxSessions: 2, maxUnconfirmedCommands: 30, sessionTtlMs: 200 }
          : { maxSessions: 100, maxUnconfirmedCommands: 1000, sessionTtlMs: 0 }
        play(seed, 1200, limits, true)
      }),
      runs(100),
    )
  })

  it('get much done meanwhile', () => {
    const limits = { maxSessions: 10, maxUnconfirmedCommands: 1000, sessionTtlMs: 0 }
    const worlds = [1, 2, 3, 4].map((seed) => play(seed, 4000, limits, seed % 2 === 0))
    for (const { clients, nodes } of worlds) {
      assert.ok((nodes[0]?.chronicle.history.length ?? 0) > 50)
      assert.ok(clients.some(({ core }) => core.metrics.commandsResent > 0))
    }
    const calls = worlds.flatMap(({ clients }) => clients.flatMap((client) => client.calls))
    assert.ok(calls.filter(({ caller }) => RaftError.is(caller.error, 'NO_SPACE')).length > 20)
  })
})
