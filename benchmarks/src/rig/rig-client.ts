/** The client of the bare rig, in a thread of its own: a promise for each call, one frame for the calls of a turn. */
import { createHistogram } from 'node:perf_hooks'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { invariant } from '@troupe/core'
import type { RigClientMessage, RigClientResult, RigCommit, RigReady, RigRequest } from './protocol.ts'

const LENGTH_BYTES = 4
const NS_PER_MS = 1e6
const MAX_SAMPLED_SLOTS = 64
/** Settled callers are cut off when there are so many. */
const CUT_AT = 65_536

class RigClient {
  readonly #leader: MessagePort
  readonly #flush = () => this.#runFlush()
  #batch = 1
  #pending: Buffer[] = []
  #waiting: (() => void)[] = []
  #head = 0
  #isScheduled = false

  constructor(leader: MessagePort) {
    this.#leader = leader
    leader.on('message', ({ count }: RigCommit) => this.#settle(count))
  }

  set batch(batch: number) {
    this.#batch = batch
  }

  propose(command: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#pending.push(command)
      if (this.#isScheduled) return
      this.#isScheduled = true
      setImmediate(this.#flush)
    })
  }

  #runFlush(): void {
    this.#isScheduled = false
    const pending = this.#pending
    const count = pending.length
    if (count === 0) return
    this.#pending = []
    const batch = this.#batch
    const commandBytes = (pending[0] as Buffer).byteLength
    const bytes = new ArrayBuffer(count * batch * (LENGTH_BYTES + commandBytes))
    const target = Buffer.from(bytes)
    let offset = 0
    for (const command of pending) {
      for (let copy = 0; copy < batch; copy++) {
        target.writeUInt32LE(commandBytes, offset)
        offset += LENGTH_BYTES
        target.set(command, offset)
        offset += commandBytes
      }
    }
    const request: RigRequest = { count, bytes }
    this.#leader.postMessage(request, [bytes])
  }

  #settle(count: number): void {
    for (let settled = 0; settled < count; settled++) this.#waiting[this.#head++]?.()
    if (this.#head <= CUT_AT) return
    this.#waiting = this.#waiting.slice(this.#head)
    this.#head = 0
  }
}

type RunMessage = Extract<RigClientMessage, { kind: 'run' }>

const sleep = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms))

async function run(client: RigClient, message: RunMessage): Promise<RigClientResult> {
  const { window, batch, sizeBytes, warmupMs, durationMs } = message
  const command = Buffer.alloc(sizeBytes, 1)
  const latency = createHistogram()
  const every = Math.max(1, Math.floor(window / MAX_SAMPLED_SLOTS))
  let isRunning = true
  let isMeasuring = false
  let commands = 0
  client.batch = batch
  const slot = async (isSampled: boolean): Promise<void> => {
    while (isRunning) {
      const startMs = isSampled ? performance.now() : 0
      await client.propose(command)
      commands += batch
      if (isSampled && isMeasuring) {
        latency.record(Math.max(1, Math.round((performance.now() - startMs) * NS_PER_MS)))
      }
    }
  }
  const slots = Array.from({ length: window }, (_, index) => slot(index % every === 0))
  await sleep(warmupMs)
  isMeasuring = true
  const startMs = performance.now()
  const before = commands
  await sleep(durationMs)
  const result = { commands: commands - before, elapsedMs: performance.now() - startMs, latency }
  isRunning = false
  isMeasuring = false
  await Promise.all(slots)
  return result
}

function main(port: MessagePort): void {
  const { leader } = workerData as { readonly leader: MessagePort }
  const client = new RigClient(leader)
  port.on('message', async (message: RigClientMessage) => {
    if (message.kind === 'run') port.postMessage(await run(client, message))
    else process.exit()
  })
}

invariant(parentPort !== null, 'the client of the rig runs in a worker thread')
main(parentPort)
parentPort.postMessage('ready' satisfies RigReady)
