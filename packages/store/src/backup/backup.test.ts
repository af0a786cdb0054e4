import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { RaftError } from '@troupe/core'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'
import { sampleSnapshot } from '../conformance.ts'
import { type BackupDescription, type StatePieces, verifyBackup, withBackup, writeBackup } from '../index.ts'

const sample = sampleSnapshot(12, 150)

const describe = ({ meta }: typeof sample): BackupDescription => ({
  clusterId: 'blue',
  group: 0,
  nodeId: 'n2',
  machine: 'kv',
  created: '2026-01-01T00:00:00.000Z',
  meta,
})

/** The data in pieces of two parts. */
function cut(data: Uint8Array, bytes: number): StatePieces {
  return async function* () {
    for (let from = 0; from < data.byteLength; from += bytes) {
      const piece = data.subarray(from, from + bytes)
      yield [piece.subarray(0, 7), piece.subarray(7)]
    }
  }
}

const inFile = (run: (file: string, folder: string) => Promise<void>) => () =>
  withTemporaryDirectory((folder) => run(join(folder, 'backup'), folder))

const damaged = (error: unknown): boolean => RaftError.is(error, 'STORAGE_DAMAGED')

async function stateIn(file: string): Promise<Buffer> {
  return withBackup(file, async ({ pieces }) => {
    const parts: Buffer[] = []
    for await (const piece of pieces()) for (const part of piece) parts.push(Buffer.from(part))
    return Buffer.concat(parts)
  })
}

test(
  'what is written is read again, of any size',
  inFile(async (file) => {
    for (const bytes of [1, 150, 3_000_000]) {
      const snapshot = sampleSnapshot(12, bytes)
      const seen: number[] = []
      const options = { force: true, onProgress: (written: number) => seen.push(written) }
      const made = await writeBackup(file, describe(snapshot), cut(snapshot.data, 100_000), options)
      assert.deepEqual(await verifyBackup(file), made)
      const { path, fileBytes, sha256: _, ...description } = made
      assert.deepEqual([path, fileBytes], [file, readFileSync(file).byteLength])
      assert.deepEqual(description, describe(snapshot))
      assert.ok((await stateIn(file)).equals(snapshot.data))
      assert.equal(seen.length, Math.ceil(bytes / 100_000))
      assert.equal(seen.at(-1), bytes)
    }
  }),
)

test(
  'a flipped bit anywhere, a cut anywhere, and anything behind the end are refused',
  inFile(async (file) => {
    await writeBackup(file, describe(sample), cut(sample.data, 60))
    const whole = readFileSync(file)
    for (let at = 0; at < whole.byteLength; at++) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8))
      writeFileSync(file, bytes)
      await assert.rejects(verifyBackup(file), damaged, `bit in byte ${at}`)
      writeFileSync(file, whole.subarray(0, at))
      await assert.rejects(verifyBackup(file), damaged, `${at} bytes of it`)
    }
    writeFileSync(file, Buffer.concat([whole, Buffer.alloc(1)]))
    await assert.rejects(verifyBackup(file), /something stands behind its end/)
  }),
)

test(
  'another format is told from damage',
  inFile(async (file) => {
    await writeBackup(file, describe(sample), cut(sample.data, 60))
    for (const [format, advice] of [
      [2, /the backup has format 2, this version reads 1: upgrade Troupe/],
      [0, /the backup has format 0, this version reads 1: it was made by an older Troupe/],
    ] as const) {
      const bytes = readFileSync(file)
      bytes.writeUInt32LE(format, 8)
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12)
      writeFileSync(file, bytes)
      await assert.rejects(
        verifyBackup(file),
        (error) => RaftError.is(error, 'INVALID_DIRECTORY') && advice.test(error.message),
      )
    }
  }),
)

test(
  'a file that is there stays, unless it is forced',
  inFile(async (file, folder) => {
    writeFileSync(file, 'precious')
    const pieces = cut(sample.data, 60)
    await assert.rejects(
      writeBackup(file, describe(sample), pieces),
      (error) => RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === 'file',
    )
    assert.equal(readFileSync(file, 'utf8'), 'precious')
    await writeBackup(file, describe(sample), pieces, { force: true })
    await verifyBackup(file)
    assert.deepEqual(readdirSync(folder), ['backup'])
  }),
)

test(
  'nothing is left of one that cannot be finished, or does not hold what it says',
  inFile(async (file, folder) => {
    const failing: StatePieces = async function* () {
      yield [sample.data.subarray(0, 60)]
      throw new RaftError('STORAGE_DAMAGED', 'torn', { path: 'there', reason: 'torn' })
    }
    await assert.rejects(writeBackup(file, describe(sample), failing), /torn/)
    const short = cut(sample.data.subarray(1), 60)
    await assert.rejects(
      writeBackup(file, describe(sample), short),
      (error) =>
        RaftError.is(error, 'STORAGE_FAILED') &&
        /what is read back is not what was written/.test(error.message),
    )
    const nowhere = join(folder, 'missing', 'backup')
    await assert.rejects(writeBackup(nowhere, describe(sample), short), (error) =>
      RaftError.is(error, 'STORAGE_FAILED'),
    )
    assert.deepEqual(readdirSync(folder), [])
  }),
)

// Written by the first version: it has to stay readable for as long as format 1 is.
test(
  'a backup of format 1 as it was first written is read',
  inFile(async (file) => {
    const text = [
      'VHJwQmFjawoBAAAAN5Tr0qB6s9EBAAAAOwEAAHsiY2x1c3RlcklkIjoiYmx1ZSIsImdyb3VwIjowLCJub2RlSWQiOiJuMiIs',
      'Im1hY2hpbmUiOiJrdiIsImNyZWF0ZWQiOiIyMDI2LTAxLTAxVDAwOjAwOjAwLjAwMFoiLCJtZXRhIjp7ImluZGV4IjoxMiwi',
      'dGVybSI6MywidGltZU1zIjoxNTAwLCJjb25maWd1cmF0aW9uIjp7InZvdGVycyI6W3siaWQiOiJuMiIsImluY2FybmF0aW9u',
      'Ijo3fV0sIm91dGdvaW5nIjpbXSwibGVhcm5lcnMiOltdLCJsZWFybmVyc05leHQiOltdLCJhdXRvTGVhdmUiOmZhbHNlfSwi',
      'Y29uZmlndXJhdGlvbkluZGV4IjowLCJieXRlcyI6OSwiY2hlY2tzdW0iOjQwOTEyNDgzNjN9feoPRJoCAAAACQAAAHRoZSBz',
      'dGF0ZVX/r48DAAAAeAAAAHsicGllY2VzIjoxLCJieXRlcyI6OSwiY2hlY2tzdW0iOjQwOTEyNDgzNjMsInNoYTI1NiI6ImQ3',
      'ZjllNGM0NTdhMWE5YWM4OWJkYzc1Y2M4ZTk3MzRjZDg5ZDdkMTQ4ZWEwZjYwMGY1NTUwMWM0NGQ4YjAzZWUifQ==',
    ].join('')
    writeFileSync(file, Buffer.from(text, 'base64'))
    const { meta, machine, nodeId } = await verifyBackup(file)
    assert.deepEqual([meta.index, meta.bytes, machine, nodeId], [12, 9, 'kv', 'n2'])
    assert.equal((await stateIn(file)).toString('latin1'), 'the state')
  }),
)
