import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapStatistics } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { HeapFiller } from './heap-filler.ts'

const MIB = 1 << 20

test('a heap is filled so far, and what has filled it is given back', async () => {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
  const filler = new HeapFiller()
  filler.add(1, { percent: Math.min(90, ((used + 40 * MIB) / (limit - 48 * MIB)) * 100) })
  for (let turns = 0; filler.heldBytes < 8 * MIB; turns++) {
    assert.ok(turns < 10_000)
    await new Promise(setImmediate)
  }
  filler.remove(1)
  assert.equal(filler.heldBytes, 0)
})

test('at 100 % a thread dies of its limit', async () => {
  const url = new URL('heap-filler.ts', import.meta.url).href
  const code = `import(${JSON.stringify(url)}).then(({ HeapFiller }) => new HeapFiller().add(1, { percent: 100 }))`
  const worker = new Worker(code, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 32 } })
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => worker.once('error', resolve))
  assert.equal(error.code, 'ERR_WORKER_OUT_OF_MEMORY')
})
