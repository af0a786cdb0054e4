/**
 * Nodes as processes on this machine, watched over: what dies is started again after a wait that grows, what dies again and
 * again is left alone.
 *
 *     starting ─► running ─► ended ─► waiting ─► starting ─► …
 *                              └─ more failures than the policy allows ─► quarantined
 *     restart: one after the other, the leader last, each when the one before follows again
 *     stop: the leader first, which hands over to one of the others, then these together
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { RestartBudget, resolveRestartPolicy } from '@troupe/actor'
import type { ClusterStatus } from '@troupe/cluster'
import { RemoteCluster } from '@troupe/cluster/remote'
import { RaftError } from '@troupe/core'
import type { ClusterPlan, PlannedNode } from './cluster-plan.ts'
import type { LocalCluster, LocalEvent, LocalNode, LocalState } from './local-cluster.ts'
import { type LogLine, SupervisedNode } from './supervised-node.ts'

/** A process takes longer to start than a worker: fewer restarts within a longer time. */
export const processRestarts = resolveRestartPolicy({
  initialDelayMs: 200,
  factor: 2,
  maxDelayMs: 10_000,
  maxRestarts: 5,
  withinMs: 120_000,
})

/** For a node that was told to stop: its own bound for the hand-over is 5 s. */
const STOP_BOUND_MS = 10_000

/** While one of them is restarted. */
const POLL_MS = 100
/** Behind the leader: under load it is never quite there. */
const NEAR_ENTRIES = 1000

/** Wrong usage: what a node says of its options and directory. */
const WRONG_USAGE = 64

class WatchedNode implements LocalNode {
  readonly plan: PlannedNode
  readonly budget = new RestartBudget(processRestarts, Math.random)
  state: LocalState = 'starting'
  child: SupervisedNode | undefined
  restarts = 0
  timer: NodeJS.Timeout | undefined
  hasStarted = false
  /** It is told to stop in order to be started again. */
  isRestarted = false

  constructor(plan: PlannedNode) {
    this.plan = plan
  }

  get id(): string {
    return this.plan.id
  }

  get address(): string {
    return this.plan.address
  }

  get pid(): number | undefined {
    return this.child?.pid
  }
}

export class LocalProcesses implements LocalCluster {
  readonly nodes: readonly WatchedNode[]
  readonly #plan: ClusterPlan
  readonly #tell: (event: LocalEvent) => void
  readonly #started = Promise.withResolvers<void>()
  readonly #killAll = (): void => this.#kill()
  #leader: { readonly id: string; readonly term: number } | undefined
  #remote: Promise<RemoteCluster> | undefined
  #stopping: Promise<void> | undefined
  #isRestarting = false

  /**
   * Starts them all, and waits until each has started once.
   * @throws RaftError NODE_UNAVAILABLE where one refuses to start; SHUTTING_DOWN where `signal` is raised before. Then
   *   none is left running
   */
  static async start(
    plan: ClusterPlan,
    tell: (event: LocalEvent) => void,
    signal: AbortSignal,
  ): Promise<LocalProcesses> {
    const cluster = new LocalProcesses(plan, tell)
    const abort = (): void => cluster.#started.reject(shuttingDown())
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    try {
      for (const node of cluster.nodes) cluster.#start(node)
      await cluster.#started.promise
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  private constructor(plan: ClusterPlan, tell: (event: LocalEvent) => void) {
    this.#plan = plan
    this.#tell = tell
    this.nodes = plan.nodes.map((node) => new WatchedNode(node))
    this.#started.promise.catch(() => {})
    // Whoever asks twice to end, or breaks, leaves nothing behind.
    process.prependOnceListener('exit', this.#killAll)
  }

  async status(): Promise<ClusterStatus | undefined> {
    const { dialing, nodes } = this.#plan
    const addresses = nodes.map(({ address }) => address)
    this.#remote ??= RemoteCluster.connect(addresses, { ...dialing, connectTimeoutMs: 2000 })
    try {
      return await (await this.#remote).status()
    } catch (error) {
      if (!RaftError.is(error, 'NODE_UNAVAILABLE')) throw error
      this.#remote = undefined
      return undefined
    }
  }

  /** Restarts all that run, one after the other: at most one of them is missing at any time. */
  async restart(): Promise<void> {
    if (this.#isRestarting) return
    this.#isRestarting = true
    const isLeader = ({ id }: WatchedNode): boolean => id === this.#leader?.id
    for (const node of [...this.nodes].sort(
      (one, other) => Number(isLeader(one)) - Number(isLeader(other)),
    )) {
      if (node.child === undefined || this.#stopping !== undefined) continue
      node.isRestarted = true
      await this.#stopNode(node)
      while (!(await this.#follows(node))) await sleep(POLL_MS)
    }
    this.#isRestarting = false
  }

  /** Whether there is nothing more to wait for with it. */
  async #follows({ id, state }: WatchedNode): Promise<boolean> {
    if (this.#stopping !== undefined || state === 'quarantined' || state === 'removed') return true
    const status = await this.status().catch(() => undefined)
    const [own, leading] = [id, status?.leader].map((name) => status?.nodes.find((node) => node.id === name))
    return own?.running === true && leading?.running === true && own.applied >= leading.commit - NEAR_ENTRIES
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    for (const node of this.nodes) clearTimeout(node.timer)
    const remote = await this.#remote?.catch(() => undefined)
    remote?.close()
    const leader = this.nodes.find(({ id }) => id === this.#leader?.id)
    if (leader !== undefined) await this.#stopNode(leader)
    await Promise.all(this.nodes.map((node) => this.#stopNode(node)))
    process.removeListener('exit', this.#killAll)
  }

  async #stopNode({ id, child }: WatchedNode): Promise<void> {
    if (child === undefined) return
    this.#tell({ event: 'stopping', node: id })
    await child.stop(STOP_BOUND_MS)
  }

  #kill(): void {
    for (const { child } of this.nodes) child?.kill('SIGKILL')
  }

  // ---- one node

  #start(node: WatchedNode): void {
    node.state = 'starting'
    const child = new SupervisedNode(node.plan, this.#plan.secrets, {
      logged: (line) => this.#logged(node, line),
      ended: (code, signal, words) => this.#ended(node, code, signal, words),
    })
    node.child = child
    this.#tell({ event: 'starting', node: node.id, pid: child.pid })
  }

  #logged(node: WatchedNode, line: LogLine): void {
    const { id } = node
    if (line.event === 'node started') {
      node.state = 'running'
      node.hasStarted = true
      this.#tell({ event: 'started', node: id, pid: node.pid })
      if (this.nodes.every(({ hasStarted }) => hasStarted)) this.#started.resolve()
    } else if (line.event === 'leadership handed over') {
      this.#tell({ event: 'handed-over', node: id, to: String(line['to']) })
    } else if (line.event === 'role changed' && line['role'] === 'leader') {
      const term = Number(line['term'])
      if (term > (this.#leader?.term ?? 0)) this.#leader = { id, term }
      this.#tell({ event: 'leads', node: id, term })
    }
  }

  #ended(node: WatchedNode, code: number | null, signal: NodeJS.Signals | null, words: string): void {
    const { id } = node
    node.child = undefined
    const isStopping = this.#stopping !== undefined
    if (node.isRestarted && !isStopping) {
      node.isRestarted = false
      node.restarts++
      this.#tell({ event: 'stopped', node: id })
      return this.#start(node)
    }
    if (isStopping || code === 0) node.state = isStopping ? 'stopped' : 'removed'
    // It ends like that where it was told to, or is no member any more.
    if (code === 0) return this.#tell({ event: isStopping ? 'stopped' : 'removed', node: id })
    const reason = howItEnded(code, signal, words)
    this.#tell({ event: 'ended', node: id, reason })
    if (isStopping) return
    // What it says of its options at the first start it would say again.
    if (code === WRONG_USAGE && !node.hasStarted) return this.#started.reject(doesNotStart(id, reason))
    this.#restart(node, reason)
  }

  #restart(node: WatchedNode, reason: string): void {
    const decision = node.budget.failed(performance.now())
    if (decision.kind === 'quarantine') {
      node.state = 'quarantined'
      const often = `${decision.failures} failures within ${processRestarts.withinMs / 1000} s; the last: ${reason}`
      this.#tell({ event: 'quarantined', node: node.id, reason: often })
      if (!node.hasStarted) this.#started.reject(doesNotStart(node.id, often))
      return
    }
    node.state = 'waiting'
    this.#tell({ event: 'restarting', node: node.id, delayMs: Math.round(decision.delayMs) })
    node.timer = setTimeout(() => {
      node.restarts++
      this.#start(node)
    }, decision.delayMs)
  }
}

function howItEnded(code: number | null, signal: NodeJS.Signals | null, words: string): string {
  const how = signal ?? (code === null ? 'it could not be started' : `exit code ${code}`)
  return words === '' ? how : `${how}: ${words}`
}

function doesNotStart(node: string, reason: string): RaftError<'NODE_UNAVAILABLE'> {
  return new RaftError('NODE_UNAVAILABLE', `node ${node} does not start: ${reason}`, { node, reason })
}

function shuttingDown(): RaftError<'SHUTTING_DOWN'> {
  return new RaftError('SHUTTING_DOWN', 'told to end before all nodes had started', { what: 'up' })
}
