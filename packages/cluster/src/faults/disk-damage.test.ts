import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { seededRandom } from '@troupe/core'
import { kv } from '@troupe/machines'
import { scanLog } from '@troupe/store'
import { formatAddress } from '@troupe/transport'
import { Client } from '../client.ts'
import { NodeProcess } from '../node-process.ts'
import { copyState, flipBitsInLog, putStateBack, tearLastEntry, wipeDirectory } from './disk-damage.ts'
import { damageFiles } from './file-damage.ts'

/** The directory of a node that has written so many entries, and runs no more. */
async function withWritten(
  run: (directory: string, write: (count: number) => Promise<void>) => Promise<void>,
) {
  const place = mkdtempSync(join(tmpdir(), 'troupe-damage-'))
  const directory = join(place, 'n1')
  const write = async (count: number): Promise<void> => {
    const node = await NodeProcess.start({ id: 'n1', cluster: 'alone', directory })
    try {
      await using client = await Client.connect([formatAddress(node.address)])
      for (let index = 0; index < count; index++) await client.propose(kv.set(`k${index}`, 'x'.repeat(200)))
    } finally {
      await node.stop()
    }
  }
  try {
    await write(10)
    await run(directory, write)
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

const log = (directory: string) => scanLog(join(directory, 'log', '0'))

test('flipped bits are found as damage, each in another entry; a torn entry is the last one', () =>
  withWritten(async (directory) => {
    assert.deepEqual(log(directory).damaged, [])
    assert.equal(flipBitsInLog(directory, 0, 2, seededRandom(1)), 2)
    const damaged = log(directory).damaged.reduce((sum, { from, to }) => sum + to - from + 1, 0)
    assert.equal(damaged, 2)
    const { lastIndex } = log(directory)
    assert.equal(tearLastEntry(directory, 0), true)
    assert.equal(log(directory).damaged.at(-1)?.to, lastIndex)
  }))

test('damage is done to the place that is named: an entry by its distance from the end, the last ones as if never flushed', () =>
  withWritten(async (directory) => {
    const random = seededRandom(1)
    const { lastIndex } = log(directory)
    const at = lastIndex - 3
    assert.equal(await damageFiles(directory, { kind: 'flip-entry', back: 3 }, random), true)
    assert.deepEqual(log(directory).damaged, [{ from: at, to: at }])
    assert.equal(await damageFiles(directory, { kind: 'forget', entries: 2 }, random), true)
    const { lastIndex: left, damaged } = log(directory)
    assert.deepEqual([left, damaged], [lastIndex - 2, [{ from: at, to: at }]])
    assert.equal(await damageFiles(directory, { kind: 'flip-entry', back: 1000 }, random), false)
    assert.equal(await damageFiles(directory, { kind: 'flip-snapshot' }, random), false)
    assert.equal(await damageFiles(join(directory, 'none'), { kind: 'forget', entries: 1 }, random), false)
  }))

test('a directory says another term where that is a later one, and a vote for nobody in it', () =>
  withWritten(async (directory, write) => {
    const random = seededRandom(1)
    const { lastIndex, hardState } = log(directory)
    assert.ok(hardState !== undefined && hardState.vote !== '')
    assert.equal(await damageFiles(directory, { kind: 'set-term', term: hardState.term }, random), false)
    assert.deepEqual(log(directory).hardState, hardState)
    assert.equal(await damageFiles(directory, { kind: 'set-term', term: 5_000_000_000 }, random), true)
    const after = log(directory)
    assert.deepEqual([after.hardState?.term, after.hardState?.vote], [5_000_000_000, ''])
    assert.equal(after.lastIndex, lastIndex)
    await write(1)
    assert.equal(log(directory).hardState?.term, 5_000_000_001)
  }))

test('a state that was kept is put back once; a wiped directory has nothing', () =>
  withWritten(async (directory, write) => {
    const { lastIndex } = log(directory)
    copyState(directory, 'f-1')
    await write(5)
    assert.ok(log(directory).lastIndex > lastIndex)
    assert.equal(putStateBack(directory, 'f-1'), true)
    assert.equal(log(directory).lastIndex, lastIndex)
    assert.deepEqual(log(directory).damaged, [])
    assert.equal(putStateBack(directory, 'f-1'), false)
    wipeDirectory(directory)
    assert.equal(existsSync(join(directory, 'identity.json')), false)
    assert.equal(flipBitsInLog(directory, 0, 1, seededRandom(1)), 0)
    assert.equal(tearLastEntry(directory, 0), false)
  }))
