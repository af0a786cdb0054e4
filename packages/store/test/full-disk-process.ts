/**
 * A process with a small file system for itself: fills it with a log until that is refused, makes room, goes on, and
 * checks what came of it. Prints `OK` and what it counted, or throws.
 *
 *     unshare -m sh -c 'mount -t tmpfs -o size=8m none DIR && node full-disk-process.ts DIR'
 */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { chainedEntries, contentOf, placesOf, StoreProbe, sampleHardState } from '../src/conformance.ts'
import { openLmdbLogStore } from '../src/index.ts'

const [path = ''] = process.argv.slice(2)
const filler = join(path, 'filler')
writeFileSync(filler, new Uint8Array(4 << 20))

// The store's own timer keeps no process alive.
const alive = setInterval(() => {}, 60_000)
const probe = new StoreProbe()
const segmentBytes = 1 << 20
const store = await openLmdbLogStore({ path: join(path, 'log'), segmentBytes, events: probe })
const entries = chainedEntries(1, 200, 1, 30_000)
let handed = 0
while (probe.space.length === 0) {
  assert.ok(handed < entries.length, 'it is refused in time')
  const { token } = probe.hand(store, { entries: entries.slice(handed, handed + 1) })
  handed += 1
  await Promise.race([probe.until(token), probe.untilSpace(true)])
}
const flushed = store.lastIndex
assert.ok(flushed < handed, 'what was refused is not there')
assert.deepEqual(contentOf(store), placesOf(entries.slice(0, flushed)), 'reads go on')
// More comes meanwhile, and waits in its turn.
const behind = probe.hand(store, {
  entries: entries.slice(handed, handed + 3),
  hardState: sampleHardState(4, 'v'),
})
handed += 3
assert.ok(!probe.persisted.includes(behind.token))

rmSync(filler)
await probe.until(behind.token)
assert.deepEqual(probe.space, [true, false])
assert.deepEqual(probe.failures, [])
assert.deepEqual(
  probe.persisted,
  [...probe.persisted].sort((a, b) => a - b),
  'in token order',
)
assert.deepEqual(contentOf(store), placesOf(entries.slice(0, handed)))
await store.close()
const again = await openLmdbLogStore({ path: join(path, 'log'), segmentBytes, events: new StoreProbe() })
assert.deepEqual(contentOf(again), placesOf(entries.slice(0, handed)))
assert.deepEqual([again.hardState, again.damaged], [sampleHardState(4, 'v'), []])
await again.close()
clearInterval(alive)
writeSync(1, `OK refused after ${flushed} entries, ${handed} in the end\n`)
