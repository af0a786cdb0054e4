import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { openFileSegments } from './file-segments.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'troupe-segments-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return join(path, 'segments')
}

const bytesOf = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * seed) % 251)

describe('segments in files', () => {
  it('gives back what was put, in order or not, beyond what is open and read ahead', (t) => {
    const space = openFileSegments(folder(t))
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
    const space = openFileSegments(path)
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
    const space = openFileSegments(path)
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
    const space = openFileSegments(path)
    const other = space.beside()
    space.put(0, bytesOf(10, 3))
    other.put(0, bytesOf(10, 7))
    space.close()
    assert.deepEqual(other.read(0, 0, 10), bytesOf(10, 7))
    other.close()
  })

  it('begins empty', (t) => {
    const path = folder(t)
    openFileSegments(path).put(0, bytesOf(10, 3))
    writeFileSync(join(path, 'x'), '')
    const space = openFileSegments(path)
    assert.deepEqual(readdirSync(path), [])
    space.close()
  })
})
