/**
 * The second phase: nothing goes wrong any more. The cluster has to find one leader that everybody follows, to finish
 * what was begun, to take fresh writes and answer fresh queries of every client, and to be equal everywhere.
 */
import { isJoint, type Member } from '@troupe/core'
import { Violation } from './contract.ts'
import type { QuietAfterHeal } from './invariants/index.ts'
import type { Ledger } from './ledger.ts'
import type { Operator } from './operator.ts'
import type { Oracle } from './oracle.ts'
import type { Plan } from './plan.ts'
import { type DrainHost, QueueDrain } from './queue/queue-drain.ts'
import type { RunBounds } from './run-bounds.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimClient } from './sim-client.ts'
import type { SimNode } from './sim-node.ts'

export interface LivenessHost extends DrainHost {
  readonly plan: Plan
  readonly scheduler: Scheduler
  readonly nodes: readonly SimNode[]
  readonly members: readonly Member[]
  readonly simClients: readonly SimClient[]
  readonly operator: Operator
  readonly ledger: Ledger
  readonly oracle: Oracle
  readonly quiet: QuietAfterHeal
  isDone: boolean
  start(node: SimNode): void
  /** Takes a node down that nobody needs any more. */
  switchOff(node: SimNode): void
  failed(rule: string, error: unknown): void
  line(text: string): void
}

const POLL_MS = 20

/** How many election timeouts nobody may disturb a leader that everybody follows. */
const QUIET_TIMEOUTS = 6

export class Liveness {
  readonly #host: LivenessHost
  readonly #bounds: RunBounds
  #boundMs = 0
  #openOperations = 0
  #failedOperations = 0
  readonly #switchedOff = new Set<SimNode>()

  constructor(host: LivenessHost, bounds: RunBounds = {}) {
    this.#host = host
    this.#bounds = bounds
  }

  begin(): void {
    const { scheduler, plan } = this.#host
    this.#boundMs = scheduler.nowMs + this.#patienceMs()
    this.#until(
      'one leader that everybody follows',
      // Leases that end, and deadlines, make entries until a queue is drained.
      () => this.#whyNotTogether(plan.queue.isOn),
      () => this.#freshOperations(),
    )
  }

  /** Generous, but in proportion to what has to be moved, with the smallest messages that the knobs allow. */
  #patienceMs(): number {
    if (this.#bounds.convergeMs !== undefined) return this.#bounds.convergeMs
    const { plan, ledger, oracle } = this.#host
    const { network, disk, turn, knobs } = plan
    const roundMs =
      4 * (network.delayMs + network.jitterMs + disk.flushMs + disk.jitterMs + turn.leastMs + turn.jitterMs)
    const chunks = (200 * (oracle.payloads + 10)) / knobs.snapshotChunkBytes
    return 30_000 + 200 * knobs.electionTimeoutMaxMs + roundMs * (4 * ledger.commitIndex + chunks)
  }

  /**
   * Without pre-votes or check-quorum a removed node may disturb the others (thesis §4.2.3): then it is switched off, and on
   * again where a change that was still on its way makes it a member.
   */
  #switchRemoved(): void {
    const { plan, nodes, members, operator } = this.#host
    if (plan.knobs.preVote && plan.knobs.checkQuorum) return
    for (const node of nodes) {
      const isNeeded = members.some(({ id }) => id === node.id) || operator.isReplacing(node)
      if (isNeeded && this.#switchedOff.delete(node)) this.#host.start(node)
      if (isNeeded || !node.isUp) continue
      this.#switchedOff.add(node)
      this.#host.switchOff(node)
    }
  }

  #until(what: string, whyNot: () => string | undefined, then: () => void): void {
    const { scheduler } = this.#host
    this.#switchRemoved()
    const reason = whyNot()
    if (reason === undefined) {
      this.#host.line(`---- ${what}`)
      return then()
    }
    if (scheduler.nowMs > this.#boundMs) {
      return this.#host.failed('liveness', new Violation('liveness', `not in time: ${what}: ${reason}`))
    }
    scheduler.after(POLL_MS, { run: () => this.#until(what, whyNot, then) })
  }

  /** The nodes that are members now, under their present incarnation. */
  get #memberNodes(): SimNode[] {
    const { members, nodes } = this.#host
    return nodes.filter((node) => members.some(({ id }) => id === node.id))
  }

  /** @param isGrowing whether entries may still come: then nobody is asked to be at the end */
  #whyNotTogether(isGrowing = false): string | undefined {
    const { operator } = this.#host
    const { leader } = operator
    const core = leader?.life?.core
    if (leader === undefined || core === undefined) return `nobody leads: ${this.#states()}`
    if (!operator.isIdle) return `the operator is busy: ${this.#states()}`
    if (isJoint(core.configuration)) return 'the configuration is joint'
    for (const node of this.#memberNodes) {
      const other = node.life?.core
      if (other === undefined) return `${node.id} is down`
      if (other.leader !== leader.id || other.term !== core.term) {
        return `${node.id} follows ${other.leader} in ${other.term}, not ${leader.id} in ${core.term}`
      }
      const isAtEnd = node.life?.driver.applied === core.lastIndex && core.commitIndex === core.lastIndex
      if (!isAtEnd && !isGrowing) {
        return `${node.id} is not at the end ${core.lastIndex}: ${this.#states()}`
      }
      if (node.disk.log.damaged.length > 0) return `${node.id} has damage that is not repaired`
      // A flush that was begun on a slow disk is as slow as it was then, and a leader that waits for it steps down.
      if (node.disk.log.waiting.length > 0 && !isGrowing) return `${node.id} still writes`
    }
    return undefined
  }

  #states(): string {
    const states = this.#host.nodes.map(({ id, life }) => {
      if (life === undefined) return `${id} down`
      const { role, term, commitIndex, lastIndex } = life.core
      return `${id} ${role} t${term} c${commitIndex} a${life.driver.applied} l${lastIndex}`
    })
    return states.join(', ')
  }

  #freshOperations(): void {
    const { simClients, plan, queueUsers } = this.#host
    if (queueUsers.length > 0) return this.#drain()
    const done = (isAnswered: boolean): void => {
      this.#openOperations--
      if (!isAnswered) this.#failedOperations++
    }
    const { freshReads = 1, freshWrites = 1 } = this.#bounds
    for (const client of simClients) {
      for (const consistency of ['linearizable', 'follower', 'lease'] as const) {
        if (consistency === 'lease' && !plan.knobs.leaseReads) continue
        this.#openOperations += freshReads
        for (let count = 0; count < freshReads; count++)
          client.read('k0', consistency, 1e9, done, this.#memberNodes.at(-1)?.id)
      }
      this.#openOperations += freshWrites
      for (let count = 0; count < freshWrites; count++) this.#freshWrite(client, done)
      client.turn()
    }
    this.#boundMs = this.#host.scheduler.nowMs + this.#patienceMs()
    this.#until(
      'every client had fresh answers',
      () => (this.#openOperations > 0 ? `${this.#openOperations} have none: ${this.#states()}` : undefined),
      () => this.#finish(),
    )
  }

  #drain(): void {
    const drain = new QueueDrain(this.#host)
    drain.begin()
    this.#boundMs = this.#host.scheduler.nowMs + this.#drainPatienceMs()
    this.#until(
      'the queue is drained',
      () => drain.whyNotDone,
      () => this.#finish(),
    )
  }

  /** Each message may take its turns, one behind the other, and what was held comes back when a lease ends. */
  #drainPatienceMs(): number {
    const { plan, queueBooks } = this.#host
    const { leaseMs, delayMs } = plan.queue
    return 2 * this.#patienceMs() + 20 * (leaseMs + delayMs) + 200 * queueBooks.messageCount
  }

  #freshWrite(client: SimClient, done: (isAnswered: boolean) => void): void {
    const { simClients, plan } = this.#host
    const { maxSessions, sessionTtlMs } = plan.sessions
    // Where sessions are few, another client's may push this one out: then nobody knows, and that is right.
    const mayBeEvicted = maxSessions < 2 * simClients.length
    // One that expired while its client was cut off leaves in doubt what is behind a command sent twice. Not in the next one.
    const mayBeExpired = sessionTtlMs > 0
    client.write('fresh', 1e9, (isAnswered, code) => {
      // A refusal of before takes its time, and is for whoever waits then.
      if (code === 'NO_SPACE') return this.#freshWrite(client, done)
      if (isAnswered || !mayBeExpired) return done(isAnswered || mayBeEvicted)
      client.write('fresh', 1e9, (isAnsweredNow) => done(isAnsweredNow || mayBeEvicted))
    })
  }

  #finish(): void {
    if (this.#failedOperations > 0) {
      const message = `${this.#failedOperations} fresh operations failed, though nothing was wrong`
      return this.#host.failed('liveness', new Violation('liveness', message))
    }
    this.#until(
      'all are at the same place',
      () => this.#whyNotTogether(),
      () => this.#compare(),
    )
  }

  #compare(): void {
    const { oracle, failed } = this.#host
    const checksums = new Set(this.#memberNodes.map((node) => node.stateChecksum()))
    if (checksums.size > 1) {
      return failed.call(
        this.#host,
        'digests',
        new Violation('equal digests', 'the states of the members differ'),
      )
    }
    for (const node of this.#memberNodes) {
      const { count = 0, digest = 0 } = node.life?.machine ?? {}
      if (count === oracle.payloads && (count === 0 || digest === oracle.digestAt(count))) continue
      const message = `${node.id} has applied ${count} payloads of ${oracle.payloads}`
      return failed.call(this.#host, 'digests', new Violation('equal digests', message))
    }
    this.#watchQuiet()
  }

  #watchQuiet(): void {
    const { quiet, scheduler, plan, operator, nodes } = this.#host
    quiet.begin(operator.leader?.life?.core.term ?? 0, nodes)
    scheduler.after(QUIET_TIMEOUTS * plan.knobs.electionTimeoutMaxMs, {
      run: () => {
        quiet.end()
        this.#host.isDone = true
      },
    })
  }
}
