import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { RaftError } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import { type Remembered, readWitness, Witness } from './log-witness.ts'

const BLANK: Remembered = {
  owner: { clusterId: 'c', nodeId: 'a', incarnation: 1, group: 0 },
  hardState: { term: 0, vote: '', voteIncarnation: 0 },
  base: { index: 0, term: 0 },
  knownIndex: 0,
  boundIndex: 0,
  newestSequence: 0,
  shadowing: undefined,
}
const SLOT_BYTES = 4096

const inWitness = (run: (path: string) => Promise<void>): (() => Promise<void>) => {
  return () => withTemporaryDirectory((directory) => run(join(directory, 'witness')))
}

/** Writes `count` times, each with another index. */
async function written(path: string, count: number): Promise<void> {
  const witness = Witness.open(path, readWitness(path), BLANK, true)
  for (let index = 1; index <= count; index++) witness.rememberNow({ knownIndex: index })
  await witness.close()
}

test(
  'what was remembered last is found, by either way of writing',
  inWitness(async (path) => {
    await written(path, 5)
    assert.equal(readWitness(path)?.remembered.knownIndex, 5)
    const witness = Witness.open(path, readWitness(path), BLANK, true)
    assert.deepEqual(witness.current, { ...BLANK, knownIndex: 5, shadowing: undefined })
    await witness.remember({ boundIndex: 9 })
    assert.deepEqual(readWitness(path)?.remembered.boundIndex, 9)
    await witness.close()
  }),
)

test(
  'changes that come while one is written go together, and each is on the disk when it is told so',
  inWitness(async (path) => {
    const witness = Witness.open(path, undefined, BLANK, true)
    const { count = 0 } = readWitness(path) ?? {}
    await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        await witness.remember({ knownIndex: at })
        assert.ok((readWitness(path)?.remembered.knownIndex ?? -1) >= at)
      }),
    )
    const found = readWitness(path)
    assert.equal(found?.remembered.knownIndex, 19)
    assert.ok((found?.count ?? 0) - count <= 3, 'not one write for each')
    await witness.close()
  }),
)

test(
  'a write that is torn leaves the one before it, and so do two at once',
  inWitness(async (path) => {
    await written(path, 7)
    const { count = 0 } = readWitness(path) ?? {}
    const sound = readFileSync(path)
    for (const torn of [1, 2]) {
      const bytes = Buffer.from(sound)
      for (let back = 0; back < torn; back++) {
        const at = ((count - back) % 3) * SLOT_BYTES
        bytes.fill(0xff, at + 20, at + 60)
      }
      writeFileSync(path, bytes)
      assert.equal(readWitness(path)?.remembered.knownIndex, 7 - torn)
    }
  }),
)

test(
  'a file of something else, an empty one and none at all say nothing',
  inWitness(async (path) => {
    assert.equal(readWitness(path), undefined)
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(20_000, 7), Buffer.alloc(3 * SLOT_BYTES)]) {
      writeFileSync(path, bytes)
      assert.equal(readWitness(path), undefined)
    }
  }),
)

test(
  'another format is refused by name',
  inWitness(async (path) => {
    await written(path, 1)
    const bytes = readFileSync(path)
    for (let at = 0; at < 3 * SLOT_BYTES; at += SLOT_BYTES) {
      const length = bytes.readUInt32LE(at + 4)
      const text = bytes.subarray(at + 8, at + 8 + length).toString()
      if (length === 0) continue
      const changed = Buffer.from(text.replace('"format":3', '"format":9'))
      changed.copy(bytes, at + 8)
      bytes.writeUInt32LE(crc32(changed), at)
    }
    writeFileSync(path, bytes)
    assert.throws(
      () => readWitness(path),
      (error) => RaftError.is(error, 'STORAGE_DAMAGED') && /format 9, not 3/.test(error.message),
    )
  }),
)
