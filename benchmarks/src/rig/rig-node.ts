/**
 * A node of the bare rig: what is left of the hot path without Raft, without a state machine and without checksums.
 *
 *     client ─(1)─► leader: drain ─► one LMDB value for everything drained, flush
 *                     ├──(2)─► follower: drain ─► the same bytes, flush ─(3)─► leader
 *            ◄─(4)─ leader: a majority has flushed
 *
 * The hops, the batching by drain, LMDB and its settings are those of the engine.
 */
import { join } from 'node:path'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { invariant } from '@troupe/core'
import { open } from 'lmdb'
import type {
  RigAck,
  RigAppend,
  RigBirth,
  RigCommit,
  RigNodeMessage,
  RigReady,
  RigRequest,
} from './protocol.ts'

type Flushed = (lastIndex: number) => void

/** Writes appends in order, one transaction at a time; what comes meanwhile goes into the next. */
class RigLog {
  readonly #database
  readonly #onFlushed: Flushed
  #waiting: { index: number; bytes: Uint8Array; last: number }[] = []
  #isWriting = false

  constructor(path: string, onFlushed: Flushed) {
    this.#database = open({ path, encoding: 'binary', overlappingSync: false, compression: false })
    this.#onFlushed = onFlushed
  }

  append(index: number, bytes: Uint8Array, count: number): void {
    this.#waiting.push({ index, bytes, last: index + count - 1 })
  }

  write(): void {
    if (this.#isWriting || this.#waiting.length === 0) return
    const batch = this.#waiting
    this.#waiting = []
    this.#isWriting = true
    let written: Promise<boolean> | undefined
    for (const { index, bytes } of batch) written = this.#database.put(index, bytes)
    void written?.then((isPut) => {
      invariant(isPut, 'the rig writes')
      this.#isWriting = false
      this.#onFlushed(batch.at(-1)?.last ?? 0)
      this.write()
    })
  }

  async close(): Promise<void> {
    await this.#database.flushed
    await this.#database.close()
  }
}

/** Runs `turn` once for all that arrives in a turn of the event loop. */
function oncePerTurn(turn: () => void): () => void {
  let isScheduled = false
  const run = (): void => {
    isScheduled = false
    turn()
  }
  return () => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(run)
  }
}

function follow(path: string, leader: MessagePort): RigLog {
  const log = new RigLog(path, (lastIndex) => leader.postMessage(lastIndex satisfies RigAck))
  const schedule = oncePerTurn(() => log.write())
  leader.on('message', ({ index, count, bytes }: RigAppend) => {
    log.append(index, Buffer.from(bytes), count)
    schedule()
  })
  return log
}

class RigLeader {
  readonly log: RigLog
  readonly #followers: readonly MessagePort[]
  readonly #client: MessagePort
  /** Last index flushed by each node, the leader first. */
  readonly #flushed: number[]
  #committed = 0
  #next = 1
  #requests: RigRequest[] = []

  constructor(path: string, followers: readonly MessagePort[], client: MessagePort) {
    this.#followers = followers
    this.#client = client
    this.#flushed = new Array<number>(followers.length + 1).fill(0)
    this.log = new RigLog(path, (lastIndex) => this.#advance(0, lastIndex))
    const schedule = oncePerTurn(() => this.#turn())
    client.on('message', (request: RigRequest) => {
      this.#requests.push(request)
      schedule()
    })
    for (const [position, follower] of followers.entries()) {
      follower.on('message', (lastIndex: RigAck) => this.#advance(position + 1, lastIndex))
    }
  }

  #turn(): void {
    const requests = this.#requests
    this.#requests = []
    let count = 0
    let length = 0
    for (const request of requests) {
      count += request.count
      length += request.bytes.byteLength
    }
    const bytes = Buffer.allocUnsafeSlow(length)
    let offset = 0
    for (const request of requests) {
      bytes.set(new Uint8Array(request.bytes), offset)
      offset += request.bytes.byteLength
    }
    const index = this.#next
    this.#next += count
    const append: RigAppend = { index, count, bytes: bytes.buffer }
    for (const follower of this.#followers) follower.postMessage(append)
    this.log.append(index, bytes, count)
    this.log.write()
  }

  #advance(node: number, lastIndex: number): void {
    this.#flushed[node] = lastIndex
    const falling = [...this.#flushed].sort((left, right) => right - left)
    const majority = falling[falling.length >> 1] as number
    if (majority <= this.#committed) return
    const commit: RigCommit = { count: majority - this.#committed }
    this.#committed = majority
    this.#client.postMessage(commit)
  }
}

function start({ id, directory, role }: RigBirth, main: MessagePort): void {
  const path = join(directory, String(id))
  const log =
    role.kind === 'leader' ? new RigLeader(path, role.followers, role.client).log : follow(path, role.leader)
  main.on('message', async (message: RigNodeMessage) => {
    if (message !== 'stop') return
    await log.close()
    process.exit()
  })
}

invariant(parentPort !== null, 'a node of the rig runs in a worker thread')
start(workerData as RigBirth, parentPort)
parentPort.postMessage('ready' satisfies RigReady)
