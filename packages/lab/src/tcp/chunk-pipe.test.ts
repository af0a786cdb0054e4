import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { until } from '../proxy/proxy.fixture.ts'
import type { Chunk } from '../real/records.ts'
import { ChunkPipe, chunkWriter } from './chunk-pipe.ts'

/** Of about that size: more than one write can take at once, where it is large. */
const chunkOf = (atMs: number, bytes = 10): Chunk =>
  ({ number: 0, atMs, records: [], state: { payload: new Uint8Array(bytes).fill(atMs % 251) } }) as never

describe('the pipe of chunks', () => {
  test('has the order of all writers, whole chunks, and the end of a node behind what it has told', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'troupe-lab-'))
    const seen: string[] = []
    let damaged = 0
    const pipe = new ChunkPipe(directory, {
      chunk: (index, { atMs, state }) => {
        const { payload } = state as unknown as { readonly payload: Uint8Array }
        if (payload.some((byte) => byte !== atMs % 251)) damaged++
        seen.push(`${index}:${atMs}`)
      },
      exited: (index, atMs) => seen.push(`${index} gone ${atMs}`),
    })
    try {
      const [first, second] = [chunkWriter(pipe.path, 0), chunkWriter(pipe.path, 1)]
      const expected: string[] = []
      // In one turn no more than fits: nobody reads until it is over.
      for (let at = 0; at < 8; at++) {
        const write = at % 2 === 0 ? first : second
        write(chunkOf(at, at === 3 ? 20_000 : 100))
        expected.push(`${at % 2}:${at}`)
      }
      pipe.exited(1, 9)
      first(chunkOf(10))
      await until('all has come', () => seen.length === 10)
      assert.deepEqual(seen, [...expected, '1 gone 9', '0:10'])
      assert.equal(damaged, 0)
    } finally {
      pipe.close()
      rmSync(directory, { recursive: true })
    }
  })

  test('keeps no writer waiting whose reader is gone', () => {
    const directory = mkdtempSync(join(tmpdir(), 'troupe-lab-'))
    const pipe = new ChunkPipe(directory, { chunk: () => {}, exited: () => {} })
    try {
      const write = chunkWriter(pipe.path, 0)
      pipe.close()
      assert.throws(() => write(chunkOf(1)), { code: 'EPIPE' })
      assert.throws(() => chunkWriter(pipe.path, 0), { code: 'ENXIO' })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
