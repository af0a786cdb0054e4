import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { crc32 } from 'node:zlib'
import { RaftError } from '@troupe/core'
import { openFileSegments, type SegmentFolder } from './file-segments.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'troupe-segments-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return join(path, 'segments')
}

const OWNER = 'n1'

const bytesOf = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * seed) % 251)

describe('segments in files', () => {
  it('gives back what was put, in order or not, beyond what is open and read ahead', (t) => {
    const { space } = openFileSegments(folder(t), OWNER)
    const contents = Array.from({ length: 40 }, (_, segment) => bytesOf(70_000, segment + 1))
    for (const [segment, bytes] of contents.entries()) space.put(segment, bytes)
    for (const [segment, bytes] of contents.entries())
      for (const [offset, length] of [
        [0, 300],
        [300, 300],
        [700, 1],
        [69_000, 1000],
        [64_000, 6000],
        [0, 70_000],
        [10, 0],
      ] as const)
        assert.deepEqual(space.read(segment, offset, length), bytes.subarray(offset, offset + length))
    space.close()
  })

  it('gives the room of a dropped segment back, and uses its number again', (t) => {
    const path = folder(t)
    const { space } = openFileSegments(path, OWNER)
    space.put(0, bytesOf(5000, 3))
    assert.equal(space.read(0, 0, 10).byteLength, 10)
    assert.equal(space.read(0, 10, 10).byteLength, 10)
    space.drop(0)
    assert.deepEqual(readdirSync(path), [])
    space.put(0, bytesOf(5000, 7))
    assert.deepEqual(space.read(0, 20, 10), bytesOf(5000, 7).subarray(20, 30), 'not what was read ahead')
    space.close()
    assert.deepEqual(readdirSync(path), [])
  })

  it('lets views go on reading what is dropped', (t) => {
    const path = folder(t)
    const { space } = openFileSegments(path, OWNER)
    space.put(3, bytesOf(5000, 3))
    const [view, other] = [space.view(3), space.view(3)]
    space.drop(3)
    view.close()
    view.close()
    assert.deepEqual(other.read(), bytesOf(5000, 3))
    assert.equal(readdirSync(path).length, 1)
    other.close()
    assert.deepEqual(readdirSync(path), [])
    space.close()
  })

  it('has spaces beside each other', (t) => {
    const path = folder(t)
    const { space } = openFileSegments(path, OWNER)
    const other = space.beside()
    space.put(0, bytesOf(10, 3))
    other.put(0, bytesOf(10, 7))
    space.close()
    assert.deepEqual(other.read(0, 0, 10), bytesOf(10, 7))
    other.close()
  })

  it('begins empty where nothing was left', (t) => {
    const path = folder(t)
    openFileSegments(path, OWNER).space.put(0, bytesOf(10, 3))
    const { space } = openFileSegments(path, OWNER)
    assert.deepEqual(readdirSync(path), [])
    space.close()
  })
})

const POSITION = { index: 7, term: 2, timeMs: 5, isAtRest: true }
/** More than is written at once. */
const PIECES = [bytesOf(3, 1), bytesOf((2 << 20) + 17, 3), bytesOf(0, 1), bytesOf(1000, 5)]

/** Leaves segments 0 and 2 with PIECES, and a file that nobody has. */
function leave(path: string): void {
  const folder = openFileSegments(path, OWNER)
  const space = folder.space.beside()
  for (const segment of [0, 1, 2]) space.put(segment, bytesOf(100 + segment, 3))
  folder.space.put(0, bytesOf(10, 7))
  space.drop(1)
  folder.leave(space, POSITION, PIECES.values())
}

function stateIn({ resting }: SegmentFolder): Buffer {
  const pieces: Buffer[] = []
  resting?.read((piece) => pieces.push(Buffer.from(piece)))
  return Buffer.concat(pieces)
}

const segmentsIn = (path: string): number =>
  readdirSync(path).filter((name) => name.endsWith('.segment')).length

describe('segments that are left at rest', () => {
  it('are there again, with the rest of the state, and go on', (t) => {
    const path = folder(t)
    leave(path)
    const found = openFileSegments(path, OWNER)
    assert.deepEqual(found.resting?.position, POSITION)
    assert.deepEqual(stateIn(found), Buffer.concat(PIECES))
    assert.equal(segmentsIn(path), 2, 'what is nobody’s is removed')
    found.resumed()
    assert.equal(readdirSync(path).length, 2)
    const { space } = found
    assert.deepEqual([space.bytesOf(0), space.bytesOf(1), space.bytesOf(2)], [100, undefined, 102])
    assert.deepEqual(space.read(2, 0, 102), bytesOf(102, 3))
    space.put(1, bytesOf(500, 9))
    space.drop(0)
    found.leave(space, { ...POSITION, index: 9 }, [bytesOf(1, 1)].values())
    const again = openFileSegments(path, OWNER)
    assert.equal(again.resting?.position.index, 9)
    assert.deepEqual(again.space.read(1, 0, 500), bytesOf(500, 9))
    assert.deepEqual(again.space.read(2, 0, 102), bytesOf(102, 3))
  })

  it('are found once more where the start that found them came to nothing', (t) => {
    const path = folder(t)
    leave(path)
    openFileSegments(path, OWNER)
    assert.deepEqual(stateIn(openFileSegments(path, OWNER)), Buffer.concat(PIECES))
  })

  const useless: [string, (path: string) => void][] = [
    ['another’s', (path) => editNote(path, { identity: 'n2' })],
    ['of another boot', (path) => editNote(path, { boot: 'another' })],
    ['of another format', (path) => editNote(path, { format: 2 })],
    ['with a changed digit', (path) => changeNote(path, (text) => text.replace('"index":7', '"index":6'))],
    ['without their end', (path) => truncateSync(join(path, 'rest'), 20)],
    ['without a segment', (path) => rmSync(join(path, '0001.segment'))],
    ['with a segment that is too short', (path) => truncateSync(join(path, '0003.segment'), 5)],
  ]
  for (const [what, harm] of useless)
    it(`are given up where they are ${what}`, (t) => {
      const path = folder(t)
      leave(path)
      harm(path)
      const found = openFileSegments(path, OWNER)
      assert.equal(found.resting, undefined)
      assert.equal(found.space.bytesOf(0), undefined)
      assert.deepEqual(readdirSync(path), [])
      found.space.put(0, bytesOf(10, 3))
    })

  it('tell of a state that is damaged, and can be forgotten', (t) => {
    const harms: ((path: string) => void)[] = [
      (path) => truncateSync(path, 3),
      (path) => writeFileSync(path, readFileSync(path).fill(9, 20, 21)),
      (path) => rmSync(path),
    ]
    for (const harm of harms) {
      const path = folder(t)
      leave(path)
      harm(join(path, 'state'))
      const found = openFileSegments(path, OWNER)
      assert.throws(
        () => stateIn(found),
        (error) => RaftError.is(error, 'STORAGE_DAMAGED'),
      )
      found.forget()
      assert.deepEqual([found.resting, readdirSync(path)], [undefined, []])
      found.space.put(0, bytesOf(10, 3))
    }
  })

  it('are not left where they cannot be', (t) => {
    const path = folder(t)
    const opened = openFileSegments(path, OWNER)
    const failing = {
      next: (): never => {
        throw new Error('no space left')
      },
    }
    assert.throws(
      () => opened.leave(opened.space, POSITION, failing),
      (error) => RaftError.is(error, 'STORAGE_FAILED'),
    )
    assert.deepEqual(readdirSync(path), [])
  })
})

function changeNote(path: string, change: (text: string) => string): void {
  const file = join(path, 'rest')
  const before = readFileSync(file, 'utf8')
  const after = change(before)
  assert.notEqual(after, before)
  writeFileSync(file, after)
}

/** As another version, node or start would have written it. */
const editNote = (path: string, change: Record<string, unknown>): void =>
  changeNote(path, (before) => {
    const text = JSON.stringify({ ...JSON.parse(before.split('\n')[1] as string), ...change })
    return `${crc32(text)}\n${text}`
  })
