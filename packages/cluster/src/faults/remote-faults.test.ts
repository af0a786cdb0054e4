import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { formatAddress } from '@troupe/transport'
import type { NodeOptions } from '../node-options.ts'
import { NodeProcess } from '../node-process.ts'
import { RemoteCluster } from '../remote-cluster.ts'

/** A node alone in this process, and an operator at it. */
async function withNode(
  more: Partial<NodeOptions>,
  run: (cluster: RemoteCluster, restart: () => Promise<RemoteCluster>, directory: string) => Promise<void>,
): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), 'troupe-faults-'))
  const directory = join(place, 'n1')
  let node: NodeProcess | undefined
  let cluster: RemoteCluster | undefined
  const start = async (): Promise<RemoteCluster> => {
    cluster?.close()
    await node?.stop()
    node = await NodeProcess.start({ id: 'n1', cluster: 'alone', directory, ...more })
    cluster = await RemoteCluster.connect([formatAddress(node.address)])
    return cluster
  }
  try {
    await run(await start(), start, directory)
  } finally {
    cluster?.close()
    await node?.stop()
    rmSync(place, { recursive: true, force: true })
  }
}

const refused = (expected: RegExp) => (error: unknown) =>
  RaftError.is(error, 'INVALID_OPTIONS') && expected.test(error.message)

test('a node that was not started for faults refuses all of it with one line', () =>
  withNode({}, async ({ faults }, _restart, directory) => {
    const expected = /^allowFaults of n1 is false; expected true: start the node with --allow-faults/
    await assert.rejects(faults.inject({ kind: 'pause', nodes: ['n1'] }), refused(expected))
    await assert.rejects(faults.list(), refused(expected))
    await assert.rejects(faults.destroy(), refused(expected))
    assert.equal(existsSync(join(directory, 'faults.json')), false)
  }))

test('a fault lasts until it is destroyed, is there again after a restart, and ends by itself', () =>
  withNode({ allowFaults: true }, async ({ faults }, restart, directory) => {
    const slow = { kind: 'storage', mode: 'slow', nodes: ['n1'], timeMs: 1 } as const
    const one = await faults.inject(slow, { forMs: 60_000 })
    const fast = { kind: 'clock', mode: 'rate', rate: 1.1, nodes: 'all' } as const
    const other = await faults.inject([fast], { forMs: 50_000 })
    const listed = await faults.list()
    assert.deepEqual(
      listed.faults.map(({ id, nodes }) => [id, nodes]),
      [
        [other.id, ['n1']],
        [one.id, ['n1']],
      ],
    )
    assert.equal(listed.faults[1]?.text, 'storage slow by 1 ms at n1')
    assert.ok((listed.faults[1]?.leftMs ?? 0) > 1000)
    assert.deepEqual((await faults.destroy(other.id)).ended, [other.id])
    assert.deepEqual((await faults.destroy(other.id)).ended, [])

    const again = (await restart()).faults
    assert.deepEqual(
      (await again.list()).faults.map(({ id }) => id),
      [one.id],
    )
    await again.destroy()
    assert.equal(existsSync(join(directory, 'faults.json')), false)
    await again.inject(slow, { forMs: 1 })
    for (let tries = 0; (await again.list()).faults.length > 0; tries++) assert.ok(tries < 10_000)
  }))

test('what happens once is over at once; what a process cannot do is refused by name', () =>
  withNode({ allowFaults: true }, async ({ faults }) => {
    const jumped = await faults.inject({ kind: 'clock', mode: 'bump', byMs: 50, nodes: ['n1'] })
    assert.equal(jumped.leftMs, 0)
    assert.deepEqual((await faults.list()).faults, [])
    const refusals: [unknown, RegExp][] = [
      [{ kind: 'pause', nodes: ['n9'] }, /node is "n9"; expected one of n1/],
      [{ kind: 'restart', nodes: ['n1'] }, /fault.kind is "restart"/],
      [{ kind: 'crash', nodes: ['n1'], silent: true }, /fault.silent is true/],
      [{ kind: 'partition', split: 'halves' }, /nobody was drawn/],
      [{ kind: 'failpoint', nodes: ['n1'], name: 'start', term: 'return(1)' }, /only before-save can return/],
      [{ kind: 'nonsense' }, /fault.kind is "nonsense"/],
    ]
    for (const [fault, expected] of refusals)
      await assert.rejects(faults.inject(fault as never), refused(expected))
    await assert.rejects(
      faults.inject({ kind: 'pause', nodes: ['n1'] }, { forMs: 1e9 }),
      refused(/forMs is 1000000000/),
    )
    await assert.rejects(faults.destroy('x'), refused(/id is "x"/))
  }))

test('a pause and a stall take effect after they were answered, and end by themselves', () =>
  withNode({ allowFaults: true }, async ({ faults }) => {
    for (const fault of [
      { kind: 'pause', nodes: ['n1'] },
      { kind: 'stall', nodes: ['n1'], forMs: 20 },
    ] as const) {
      const { id, leftMs } = await faults.inject(fault, { forMs: 20 })
      assert.ok(leftMs > 0, id)
      for (let tries = 0; (await faults.list()).faults.length > 0; tries++) assert.ok(tries < 10_000)
    }
  }))
