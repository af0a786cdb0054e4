/**
 * A process that appends to an LMDB log until it is killed, fails, or has `limit` entries acknowledged.
 * Prints a line `ACK index` the moment `index` is acknowledged, and `FAILED code` where the store fails.
 *
 *     node appending-process.ts <path> <durability> <limit> <outstanding>
 */
import { writeSync } from 'node:fs'
import type { RaftError } from '@troupe/core'
import { StoreProbe, sampleEntry, sampleHardState } from '../src/conformance.ts'
import { openLmdbLogStore } from '../src/index.ts'

const [path = '', durability, limit, outstanding] = process.argv.slice(2)
/** Counts tokens from 1 on. */
const probe = new StoreProbe()
let handed = 0
let failed = false

const events = {
  onPersisted: (token: number) => {
    writeSync(1, failed ? 'ACK after failure\n' : `ACK ${token}\n`)
    if (token < Number(limit)) handOver(token)
    else void store.close()
  },
  onSpace: (isFull: boolean) => writeSync(1, `SPACE ${isFull}\n`),
  onFailed: (error: RaftError<'STORAGE_FAILED'>) => {
    failed = true
    writeSync(1, `FAILED ${error.code} ${error.data.reason}\n`)
    handOver(handed)
    void store.close().then(() => writeSync(1, 'CLOSED\n'))
  },
}

const store = await openLmdbLogStore({
  path,
  durability: durability === 'acked-before-flush' ? durability : 'flush-before-ack',
  events,
})

/** Token, index and term are the same number here. */
function handOver(acknowledged: number): void {
  while (handed < Math.min(Number(limit), acknowledged + Number(outstanding))) {
    handed += 1
    const entry = sampleEntry(handed, handed, (handed * 37) % 3000)
    probe.hand(store, { hardState: sampleHardState(handed), entries: [entry] })
  }
}

handOver(0)
