/**
 * An actor as its supervisor sees it: a sequence of lives (worker-life.ts), never two at a time.
 *
 *     idle ─start─► starting ─► running ─stop─► stopping ─exit─► stopped
 *                    ▲   │         │ exit: a failure
 *       delay is over│   ▼         ▼
 *                   backing-off ◄──┴──► quarantined | down        start() leads out of each
 *
 * `down`: it died and nothing will start it again but `start()` (mode `never`, `crash({ restart: false })`,
 * or its explicit start failed: then the caller has the error and decides).
 */
import type { MessagePort, ResourceLimits, Transferable } from 'node:worker_threads'
import {
  invalidOption,
  RaftError,
  RestartBudget,
  type RestartDecision,
  type RestartPolicy,
  resolveRestartPolicy,
} from '@troupe/core'
import { hrtimeMs } from './clock.ts'
import { type Remote, remoteApi } from './control.ts'
import { unavailable } from './obituary.ts'
import { type ExitInfo, WorkerLife } from './worker-life.ts'

/** See the diagram at the head of actor-handle.ts. */
export type ActorState =
  | 'idle'
  | 'starting'
  | 'running'
  | 'stopping'
  | 'backing-off'
  | 'stopped'
  | 'down'
  | 'quarantined'

/** What a worker is given at one start. */
export interface ActorLaunch {
  /** Cloned into the worker: `ActorContext.data`. */
  readonly data: unknown
  /** What of `data` is transferred instead. Open ports only: a closed one aborts the process. */
  readonly transferList?: readonly Transferable[]
}

/** How to make an actor. */
export interface ActorSpec {
  /** Its name: unique in its supervisor, shown in errors and as the thread's name. */
  readonly id: string
  /** The module that calls `runActor`. */
  readonly url: URL
  /** Called at each start, so that a restart gets fresh ports and data. @default no data */
  readonly launch?: (startCount: number) => ActorLaunch
  /** Bounds of the worker's heap and stack, as `worker_threads` takes them. @default Node's */
  readonly resourceLimits?: ResourceLimits
  /** @default see {@link RestartPolicy} */
  readonly restart?: Partial<RestartPolicy>
  /** Asked when it has died: false leaves it down until `start()`, whatever the policy says. @default true */
  readonly mayRestart?: () => boolean
  /** How long a start may take, in ms, before it counts as failed and the worker is ended. @default 30000 */
  readonly startTimeoutMs?: number
  /** How long a control call may take, in ms. @default 5000 */
  readonly controlTimeoutMs?: number
  /** How long a worker that was told to crash may live on, in ms, before it is terminated. @default 5000 */
  readonly terminateAfterMs?: number
}

/** What an actor tells of itself: name and arguments of each event. */
export interface ActorEvents {
  /** Its actor is ready, for the first time or again: connect it now. */
  started: [{ id: string; startCount: number; value: unknown; atMs: number }]
  /** Its worker is gone. Proof of death: from here on nothing of it runs or writes. */
  exit: [ExitInfo]
  /** It will be started again `delayMs` from now; `attempt` counts the failures within `withinMs`. */
  restarting: [{ id: string; attempt: number; delayMs: number; atMs: number }]
  /** It died too often and stays down until `start()`. */
  quarantined: [{ id: string; failures: number; error: RaftError | undefined; atMs: number }]
  /**
   * It died of an error. Comes before `exit`, which carries it too. Not named 'error': an emitter throws that
   * where nobody listens, and `once(supervisor, 'exit')` would reject on it.
   */
  failed: [{ id: string; error: RaftError; atMs: number }]
}

/** Where a handle tells its events. */
export type EmitActorEvent = <E extends keyof ActorEvents>(event: E, ...args: ActorEvents[E]) => void

/** One actor. Made by `Supervisor.spawn`. */
export class ActorHandle<Api = unknown> {
  readonly id: string
  /**
   * The actor's control API, of whichever worker it has now. Rejects with NODE_UNAVAILABLE while it has none;
   * for the rest see `ControlProxy.api`.
   */
  readonly api: Remote<Api>
  readonly #spec: ActorSpec
  readonly #emit: EmitActorEvent
  readonly #policy: RestartPolicy
  readonly #budget: RestartBudget
  #state: ActorState = 'idle'
  #startCount = 0
  #life: WorkerLife<Api> | undefined
  #backoff: NodeJS.Timeout | undefined
  /** Whether the life now was started by hand: if that fails, its caller decides what follows. */
  #byHand = false
  #restartAfterCrash = true

  /** @throws RaftError INVALID_OPTIONS */
  constructor(spec: ActorSpec, emit: EmitActorEvent, random: () => number) {
    this.id = spec.id
    this.#spec = spec
    this.#emit = emit
    this.#policy = resolveRestartPolicy(spec.restart)
    this.#budget = new RestartBudget(this.#policy, random)
    this.api = remoteApi<Api>((method, args) => {
      const control = this.#life?.control
      if (control !== undefined) return control.invoke(method, args)
      return Promise.reject(unavailable(this.id, `it is not running (${this.#state})`))
    })
  }

  get state(): ActorState {
    return this.#state
  }

  /** How often a worker was started for it. */
  get startCount(): number {
    return this.#startCount
  }

  /**
   * Starts it: resolves with the actor's `ready` value. After `crash` or `stop` it waits for the old worker's
   * exit first; out of `backing-off`, `down` and `quarantined` it starts at once and forgets earlier
   * failures.
   * @throws RaftError the one the actor's start threw; NODE_UNAVAILABLE when it died or did not start in
   *   time; INVALID_OPTIONS when it is starting or running. What `launch` and `new Worker` throw (data that
   *   cannot be cloned, a url that is none) comes as it is.
   */
  async start(): Promise<unknown> {
    while (this.#life?.ending) await this.#life.exited
    if (this.#life !== undefined) throw invalidOption('start', this.#state, 'an actor that is not running')
    clearTimeout(this.#backoff)
    this.#budget.reset()
    return this.#launch(true).ready
  }

  /**
   * Crashes it, from inside and without closing anything, and waits for its exit. A worker that is hung in
   * JavaScript is terminated after `terminateAfterMs`.
   * @param options.restart whether the restart policy applies (a crash is a failure as any other) or it stays
   *   down until `start()`. @default true
   * @throws RaftError NODE_UNAVAILABLE when it has no worker
   */
  async crash(options: { readonly restart?: boolean } = {}): Promise<ExitInfo> {
    if (this.#life === undefined) throw unavailable(this.id, `it is not running (${this.#state})`)
    if (options.restart === false) this.#restartAfterCrash = false
    return this.#life.crash()
  }

  /**
   * Stops it: the actor closes what it has open; one that has not done so within `withinMs` is crashed. It is
   * not restarted. Resolves when its worker is gone, with undefined when there was none.
   * @param options.withinMs @default 10000
   */
  async stop(options: { readonly withinMs?: number } = {}): Promise<ExitInfo | undefined> {
    clearTimeout(this.#backoff)
    if (this.#life === undefined) {
      this.#state = 'stopped'
      return undefined
    }
    this.#state = 'stopping'
    return this.#life.stop(options.withinMs ?? 10_000)
  }

  /**
   * Hands it a port: `ActorInstance.onPort`. The port must be open. False when there is no worker: the port
   * is still the caller's. A worker that dies before it has read the message closes the port.
   */
  postPort(from: string, meta: unknown, port: MessagePort): boolean {
    return this.#life?.post({ kind: 'port', from, meta, port }, [port]) ?? false
  }

  #launch(byHand: boolean): WorkerLife<Api> {
    const { id, url, resourceLimits } = this.#spec
    const startCount = this.#startCount + 1
    const { data, transferList = [] } = this.#spec.launch?.(startCount) ?? { data: undefined }
    const { startTimeoutMs = 30_000, controlTimeoutMs = 5_000, terminateAfterMs = 5_000 } = this.#spec
    const bounds = { startTimeoutMs, controlTimeoutMs, terminateAfterMs }
    const life = new WorkerLife<Api>(
      { id, startCount, url, data, transferList, resourceLimits, ...bounds },
      (value) => this.#onReady(startCount, value),
      (info) => this.#onExit(info),
    )
    this.#life = life
    this.#startCount = startCount
    this.#byHand = byHand
    this.#restartAfterCrash = true
    this.#state = 'starting'
    return life
  }

  #onReady(startCount: number, value: unknown): void {
    if (this.#state === 'starting') this.#state = 'running'
    this.#emit('started', { id: this.id, startCount, value, atMs: hrtimeMs() })
  }

  #onExit(info: ExitInfo): void {
    const life = this.#life
    this.#life = undefined
    const isWanted = this.#restartAfterCrash && this.#spec.mayRestart?.() !== false
    const restarts = this.#state !== 'stopping' && isWanted && this.#policy.mode !== 'never'
    const failedStart = this.#byHand && life?.wasReady === false
    const decision = restarts && !failedStart ? this.#budget.failed(info.atMs) : undefined
    // All is decided before anybody hears of it: a listener may call `start`.
    if (decision !== undefined) this.#follow(decision)
    else this.#state = this.#state === 'stopping' ? 'stopped' : 'down'
    if (info.error !== undefined) this.#emit('failed', { id: this.id, error: info.error, atMs: info.atMs })
    this.#emit('exit', info)
    if (decision !== undefined) this.#announce(decision, info)
  }

  #follow(decision: RestartDecision): void {
    this.#state = decision.kind === 'restart' ? 'backing-off' : 'quarantined'
    if (decision.kind === 'restart') this.#backoff = setTimeout(() => this.#restart(), decision.delayMs)
  }

  #announce(decision: RestartDecision, { error, atMs }: ExitInfo): void {
    const { id } = this
    if (decision.kind === 'quarantine') {
      this.#emit('quarantined', { id, failures: decision.failures, error, atMs })
    } else if (this.#state === 'backing-off') {
      this.#emit('restarting', { id, attempt: decision.attempt, delayMs: decision.delayMs, atMs })
    }
  }

  #restart(): void {
    try {
      this.#launch(false)
    } catch (cause) {
      // `launch` or `new Worker` threw: trying again would throw again.
      this.#state = 'quarantined'
      const error =
        cause instanceof RaftError ? cause : unavailable(this.id, `cannot be launched: ${cause}`, cause)
      this.#emit('quarantined', { id: this.id, failures: 1, error, atMs: hrtimeMs() })
    }
  }
}
