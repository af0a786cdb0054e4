/** The state storage on LMDB does what the reference in memory does. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { MachineStorage, StateSpaces, StorageRange, StorageReader } from '@troupe/core'
import { MemoryStateStorage } from '@troupe/machines'
import { openLmdbMachineStorage } from '@troupe/store'
import fc from 'fast-check'
import { isFull, withDirectory } from './support.ts'

const key = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 })
const range: fc.Arbitrary<StorageRange> = fc.record(
  { from: key, after: key, to: key, reverse: fc.boolean(), limit: fc.nat(6) },
  { requiredKeys: [] },
)
const write = fc.oneof(
  { weight: 6, arbitrary: fc.record({ put: key, value: fc.uint8Array({ maxLength: 40 }) }) },
  { weight: 3, arbitrary: fc.record({ remove: key }) },
  { weight: 1, arbitrary: fc.constant({ clear: true as const }) },
)
type Write = typeof write extends fc.Arbitrary<infer Each> ? Each : never

function perform(storage: MachineStorage, each: Write): unknown {
  if ('put' in each) return storage.put(each.put, each.value)
  return 'remove' in each ? storage.remove(each.remove) : storage.clear()
}

const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex')

function look(reader: StorageReader, ranges: readonly StorageRange[], keys: readonly Uint8Array[]): unknown {
  return [
    reader.count,
    keys.map((each) => hex(reader.get(each))),
    ranges.map((each) => [...reader.entries(each)].map((pair) => pair.map(hex))),
  ]
}

const batches = fc.array(
  fc.record({
    writes: fc.array(write, { maxLength: 12 }),
    isUndone: fc.boolean(),
    ranges: fc.array(range, { maxLength: 4 }),
    keys: fc.array(key, { maxLength: 4 }),
  }),
  { maxLength: 8 },
)

/** What can be seen of a storage while it does all that. */
function story(
  storage: StateSpaces,
  all: typeof batches extends fc.Arbitrary<infer Each> ? Each : never,
): unknown[] {
  const seen: unknown[] = []
  const { machine } = storage
  for (const { writes, isUndone, ranges, keys } of all) {
    const view = machine.view()
    try {
      storage.batch(() => {
        for (const each of writes) seen.push(perform(machine, each))
        seen.push(look(machine, ranges, keys))
        if (isUndone) throw new Error('undone')
      })
    } catch (error) {
      assert.equal((error as Error).message, 'undone')
    }
    seen.push(look(view, ranges, keys), look(machine, ranges, keys))
    view.close()
  }
  return seen
}

test('batches, reads, ranges and views on LMDB are those of the reference', () =>
  withDirectory(async (path) => {
    const identity = { clusterId: 'c', nodeId: 'n', incarnation: 1, group: 0, machine: 'm' }
    const storage = openLmdbMachineStorage({ path: join(path, 'state'), identity })
    try {
      fc.assert(
        fc.property(batches, (all) => {
          storage.batch(() => storage.machine.clear())
          assert.deepEqual(story(storage, all), story(new MemoryStateStorage(), all))
        }),
        { numRuns: isFull ? 3000 : 150 },
      )
    } finally {
      await storage.close()
    }
  }))
