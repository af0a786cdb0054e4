/** The micro benchmarks: codec, frames, mailbox, ports, core, log, apply, checker. */
import { Mailbox } from '@troupe/actor'
import { type AppendRequest, type Entry, EntryKind, encodeEntry, type PersistRequest } from '@troupe/core'
import {
  COMMAND_FRAME_HEADER_BYTES,
  createMachine,
  encodeClientFrame,
  kvMachine,
  type OutcomeListener,
  ReplicatedMachine,
  readCommandFrames,
  writeCommandFrame,
} from '@troupe/machines'
import { openLmdbLogStore } from '@troupe/store'
import {
  codec,
  crc32,
  decodePeerFrame,
  encodePeerFrame,
  STREAM_HEADER_BYTES,
  StreamReader,
  sealStreamFrame,
  streamFrameOf,
} from '@troupe/wire'
import { Workload } from '../workload.ts'
import { checkTasks } from './check-tasks.ts'
import { linkEcho } from './echo.ts'
import { SmallCluster } from './small-cluster.ts'
import { computing, type MicroTask } from './task.ts'

const COMMANDS = 1024
const workload = (): Workload => new Workload({ machine: 'kv', keys: 10_000, sizeBytes: 64, seed: 1 })
const commands = (count = COMMANDS): unknown[] => workload().commandsAt(0, count)

function entryOf(index: number, payload: Uint8Array, commandCount: number, previous?: Entry): Entry {
  const header = { index, term: 1, kind: EntryKind.commands, timeMs: 0, commandCount, configurationIndex: 0 }
  return encodeEntry(header, [payload], crc32, previous)
}

/** What a client sends of these commands: the command frames alone. */
function framesOf(first: number, payload: Uint8Array, count: number): Uint8Array {
  const bytes = new Uint8Array(COMMAND_FRAME_HEADER_BYTES + payload.byteLength)
  writeCommandFrame(bytes, 0, { session: 1, first, count, confirmed: first - 1, payload })
  return bytes
}

const codecTasks: readonly MicroTask[] = [
  computing('codec: encode', 'commands', COMMANDS, () => {
    const batch = commands()
    return () => codec.encode(batch)
  }),
  computing('codec: decode', 'commands', COMMANDS, () => {
    const bytes = codec.encode(commands())
    return () => codec.decode(bytes)
  }),
]

function appendOf(payload: Uint8Array): AppendRequest {
  const entries = [entryOf(2, payload, COMMANDS)]
  const from = { from: 'a', fromIncarnation: 1, fromBoot: 1, to: 'b', toIncarnation: 0, toBoot: 0, term: 1 }
  return { kind: 'appendRequest', ...from, prevIndex: 1, prevTerm: 1, commit: 1, entries }
}

const frameTasks: readonly MicroTask[] = [
  computing("frame: a client's, encoded and looked at", 'frames', 1, () => {
    const payload = codec.encode(commands())
    const frame = { session: 1, first: 1, count: COMMANDS, confirmed: 0, payload }
    return () => readCommandFrames(encodeClientFrame(0, [], [frame], codec).subarray(8))
  }),
  computing('frame: an append, encoded', 'frames', 1, () => {
    const message = appendOf(codec.encode(commands()))
    return () => encodePeerFrame(0, [message])
  }),
  computing('frame: an append, decoded', 'frames', 1, () => {
    const bytes = encodePeerFrame(0, [appendOf(codec.encode(commands()))])
    return () => decodePeerFrame(bytes)
  }),
  computing('frame: an append, encoded for a stream', 'frames', 1, () => {
    const message = appendOf(codec.encode(commands()))
    return () => sealStreamFrame(encodePeerFrame(0, [message], STREAM_HEADER_BYTES))
  }),
  computing('frame: an append, read off a stream', 'frames', 1, () => {
    const frame = streamFrameOf(encodePeerFrame(0, [appendOf(codec.encode(commands()))]))
    const reader = new StreamReader(frame.byteLength, () => {})
    const [head, tail] = [frame.subarray(0, frame.byteLength / 2), frame.subarray(frame.byteLength / 2)]
    return () => {
      reader.push(head)
      reader.push(tail)
    }
  }),
]

interface Lanes {
  readonly urgent: number
  readonly bulk: number
}

const ITEMS = 256

const threadTasks: readonly MicroTask[] = [
  computing('mailbox: push and drain', 'items', ITEMS, () => {
    let run: () => void = () => {}
    let sum = 0
    const mailbox = new Mailbox<Lanes>({
      lanes: ['urgent', 'bulk'],
      onTurn: (batch) => {
        for (const item of batch.urgent) sum += item
        for (const item of batch.bulk) sum += item
      },
      schedule: (turn) => {
        run = turn
      },
    })
    return () => {
      for (let item = 0; item < ITEMS; item++) mailbox.push(item % 8 === 0 ? 'urgent' : 'bulk', item)
      run()
      return sum
    }
  }),
  {
    name: 'link: round trip of 64 KiB',
    unit: 'round trips',
    unitsPerCall: 1,
    yardstick: 'hop',
    prepare: async () => linkEcho(64 << 10),
  },
]

const coreTasks: readonly MicroTask[] = [64, 64 << 10].map((bytes) =>
  computing(`core: an entry of ${bytes} bytes through three drivers`, 'entries', 1, () => {
    // A log in memory that is never compacted: begun anew before it grows large.
    let cluster = new SmallCluster()
    let left = Math.floor((32 << 20) / (bytes + 1024))
    const payload = new Uint8Array(bytes)
    return () => {
      if (--left === 0) {
        cluster = new SmallCluster()
        left = Math.floor((32 << 20) / (bytes + 1024))
      }
      cluster.propose(payload)
    }
  }),
)

const request = (token: number, entries: readonly Entry[]): PersistRequest => ({
  token,
  hardState: undefined,
  reset: undefined,
  truncateFrom: undefined,
  repairs: [],
  entries,
  compactTo: undefined,
  messages: [],
})

/** An entry of `count` commands, appended and flushed. */
function appendTask(count: number): MicroTask {
  const unit = count === 1 ? 'command' : 'commands'
  return {
    name: `log: append ${count} ${unit}, flushed`,
    unit: 'commands',
    unitsPerCall: count,
    yardstick: 'flush',
    prepare: async (directory) => {
      let resolve: () => void = () => {}
      let reject: (error: unknown) => void = () => {}
      const events = {
        onPersisted: () => resolve(),
        onFailed: (error: unknown) => reject(error),
        onSpace: () => {},
      }
      const store = await openLmdbLogStore({ path: `${directory}/log-${count}`, events })
      const payload = framesOf(1, codec.encode(commands(count)), count)
      let index = store.lastIndex
      let previous: Entry | undefined
      const call = (): Promise<void> => {
        index++
        previous = entryOf(index, payload, count, previous)
        const entries = [previous]
        return new Promise((resume, fail) => {
          resolve = resume
          reject = fail
          store.persist(request(index, entries))
        })
      }
      return { call, isAsync: true, close: () => store.close() }
    },
  }
}

const nobody: OutcomeListener = {
  sessionOpened: () => {},
  outcome: () => {},
  gap: () => {},
  stale: () => {},
}

const applyTask = computing('apply: kv and sessions', 'commands', COMMANDS, () => {
  const machine = createMachine(kvMachine, { codec, checksum: crc32, options: {}, storage: undefined })
  const replica = new ReplicatedMachine(machine, codec)
  const opening = new Uint8Array(COMMAND_FRAME_HEADER_BYTES)
  writeCommandFrame(opening, 0, { session: 0, first: 7, count: 1, confirmed: 0, payload: new Uint8Array(0) })
  replica.apply(entryOf(1, opening, 1), nobody)
  const payload = codec.encode(commands())
  let index = 1
  let first = 1
  return () => {
    index++
    const entry = entryOf(index, framesOf(first, payload, COMMANDS), COMMANDS)
    first += COMMANDS
    replica.apply(entry, nobody)
    return replica.commandsApplied
  }
})

export const microTasks: readonly MicroTask[] = [
  ...codecTasks,
  ...frameTasks,
  ...threadTasks,
  ...coreTasks,
  ...[1, 64, 1024, 8192].map(appendTask),
  applyTask,
  ...checkTasks,
]
