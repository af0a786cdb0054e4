/**
 * The inside of an actor's worker. Its entry module calls `runActor` once, at its top level.
 *
 * Every way out goes through an obituary (obituary.ts) and `process.exit`, from inside: `worker.terminate()`
 * can abort the whole process while LMDB works in it.
 */
import { setPriority } from 'node:os'
import { isMainThread, type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { invalidOption } from '@troupe/core'
import { exposeControl } from './control.ts'
import { Obituary } from './obituary.ts'
import type { ActorBirth, HostCommand, PortMessage, ReadyReport } from './protocol.ts'

/** Low, but not the lowest: the end of a thread proves its death, and with leases an election waits for that. */
const DYING_PRIORITY = 10

/** What an actor is told at its start. */
export interface ActorContext<Data = unknown> {
  readonly id: string
  /** 1 at the first start of this actor, one more at each restart. */
  readonly startCount: number
  /** What `ActorSpec.launch` returned as `data`, cloned. */
  readonly data: Data
  /** Says what its start is at from now on, in some words: told where it does not start in time. */
  reached(stage: string): void
  /** Takes the actor down with this error, at once: exit code 1. */
  fail(error: unknown): never
}

/** What an actor gives its host. */
export interface ActorInstance {
  /** Handed to whoever called `ActorHandle.start`; must be cloneable. */
  readonly ready?: unknown
  /** Methods for `ActorHandle.api`. A RaftError is the caller's; any other error takes the actor down. */
  readonly control?: object
  /** A port to somebody else came (`connect`, `attach`). Ports from before the start come first, in order. */
  onPort?(message: PortMessage): void
  /**
   * It is going down, now: tell others so, without waiting for anything. They would hear of it otherwise when the thread is taken
   * down, which takes milliseconds. Must not throw.
   */
  farewell?(): void
  /** Close everything; the worker exits with code 0 when this is done. */
  stop?(): Promise<void> | void
}

/**
 * Runs an actor in this worker. What `start` throws reaches the caller of `ActorHandle.start`: a RaftError as
 * itself, without this worker's stack. An error that nobody catches takes the actor down, with exit code 1.
 * @throws RaftError INVALID_OPTIONS when this thread was not spawned by a Supervisor
 */
export function runActor<Data = unknown>(
  start: (context: ActorContext<Data>) => Promise<ActorInstance> | ActorInstance,
): void {
  const birth = (workerData as ActorBirth | null)?.troupeActor
  if (isMainThread || parentPort === null || birth === undefined) {
    throw invalidOption('runActor', 'called outside', "a worker that a Supervisor's spawn made")
  }
  const host = new WorkerHost(parentPort, birth)
  const { id, startCount } = birth
  const data = birth.data as Data
  const reached = (stage: string): void => host.reached(stage)
  void host.run(() => start({ id, startCount, data, reached, fail: (error) => host.die(error) }))
}

class WorkerHost {
  readonly #parent: MessagePort
  readonly #control: MessagePort
  readonly #obituary: Obituary
  readonly #early = new EarlyPorts()
  #instance: ActorInstance | undefined
  #stopAsked = false

  constructor(parent: MessagePort, birth: ActorBirth['troupeActor']) {
    this.#parent = parent
    this.#control = birth.control
    this.#obituary = new Obituary(birth.cell)
    this.reached('its modules are loaded')
    // Unhandled rejections come here too (Node's default).
    process.on('uncaughtException', (error) => this.die(error))
    parent.on('message', (command: HostCommand) => this.#onCommand(command))
  }

  async run(start: () => Promise<ActorInstance> | ActorInstance): Promise<void> {
    try {
      this.#onStarted(await start())
    } catch (error) {
      this.die(error)
    }
  }

  reached(stage: string): void {
    this.#obituary.reached(stage)
  }

  die(error?: unknown): never {
    this.#obituary.write(error)
    try {
      this.#instance?.farewell?.()
      yieldProcessor()
    } finally {
      process.exit(1)
    }
  }

  #onStarted(instance: ActorInstance): void {
    this.#instance = instance
    exposeControl(this.#control, instance.control ?? {}, (error) => this.die(error))
    const report: ReadyReport = { kind: 'ready', value: instance.ready }
    this.#parent.postMessage(report)
    for (const message of this.#early.take()) this.#onPort(message)
    if (this.#stopAsked) void this.#stop(instance)
  }

  #onCommand(command: HostCommand): void {
    if (command.kind === 'crash') this.die()
    else if (command.kind === 'port') this.#onPort(command)
    else this.#onStop()
  }

  #onPort(message: PortMessage): void {
    if (this.#instance === undefined) this.#early.add(message)
    else if (this.#instance.onPort === undefined) message.port.close()
    else this.#instance.onPort(message)
  }

  #onStop(): void {
    if (this.#stopAsked) return
    this.#stopAsked = true
    // While it starts: it stops when it has started, so that it never leaves half-open files.
    if (this.#instance !== undefined) void this.#stop(this.#instance)
  }

  async #stop(instance: ActorInstance): Promise<void> {
    try {
      await instance.stop?.()
    } catch (error) {
      this.die(error)
    }
    this.#obituary.write()
    process.exit(0)
  }
}

/**
 * Ports that came before the actor had started. One that closes while it waits is not handed over any more.
 */
class EarlyPorts {
  readonly #waiting = new Map<MessagePort, { message: PortMessage; closed: () => void }>()

  add(message: PortMessage): void {
    const closed = () => this.#waiting.delete(message.port)
    message.port.once('close', closed)
    this.#waiting.set(message.port, { message, closed })
  }

  take(): PortMessage[] {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { message, closed } of waiting) message.port.off('close', closed)
    return waiting.map(({ message }) => message)
  }
}

/** Taking down a thread's heap keeps a core busy for some 10 ms, in which the living have an election to hold. */
function yieldProcessor(): void {
  // On Linux a priority is a thread's, elsewhere it is the process's.
  if (process.platform === 'linux') setPriority(DYING_PRIORITY)
}
