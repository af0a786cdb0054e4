/**
 * Clients of a real cluster that send to a queue and consume it. What they draw, ask and hold against their books is what those of
 * the simulator do; only the clients and the time are real.
 *
 *     drawQueueDeed ─► QueueUser ─► Client ─► nodes          answers ─► QueueUser ─► QueueBooks ─► complaints
 *     healed ─► QueueDrain, until the machine says that nothing but dead messages is left ─► verdict
 *
 * Everybody writes into one history, in one thread: its order is that of what was asked and answered.
 */
import type { Client } from '@troupe/cluster'
import { RaftError } from '@troupe/core'
import type { Call, Consistency } from '@troupe/machines'
import {
  type Coverage,
  type Dice,
  doWithQueue,
  drawQueueDeed,
  noQueueCoverage,
  type OperationDeed,
  type Plan,
  QueueBooks,
  type QueueClient,
  type QueueDeed,
  QueueDrain,
  QueueUser,
} from '@troupe/sim'
import type { HistoryVerdict } from './decide-history.ts'
import { pause } from './pause.ts'

export interface RealQueueOptions {
  readonly plan: Pick<Plan, 'workload' | 'queue'>
  /** By their names. */
  readonly clients: ReadonlyMap<string, Client>
  readonly dice: Dice
  readonly coverage: Coverage
  /** Who may be asked. */
  readonly nodeIds: () => readonly string[]
  /** Told of each answer, or that there is none. */
  readonly answered: (client: string) => void
  /** Of answers that cannot be. */
  readonly complain: (message: string) => void
}

type Deed = QueueDeed | OperationDeed

const CREATE_WITHIN_MS = 5000
const RETRY_MS = 20
const POLL_MS = 20
/** As patient as the simulator: each message may take its turns, and what was held comes back when a lease ends. */
const DRAIN_LEASES = 20
const DRAIN_MESSAGE_MS = 20

export class RealQueue {
  readonly books = new QueueBooks()
  readonly #options: RealQueueOptions
  readonly #users: readonly QueueUser[]
  readonly #stop = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly #time = new RealTime()

  constructor(options: RealQueueOptions) {
    this.#options = options
    const { plan, clients, coverage, complain } = options
    Object.assign(coverage, noQueueCoverage())
    const host = { scheduler: this.#time, coverage, queueBooks: this.books, complained: complain }
    this.#users = Array.from(clients, ([name, client], index) => {
      return new QueueUser(host, this.#client(name, index, client), plan.queue)
    })
  }

  /** Makes the queue and begins the workload: what is sent before it is there is refused. */
  start(): void {
    this.#note(this.#create())
    for (const user of this.#users)
      for (let at = 0; at < this.#options.plan.workload.concurrency; at++) this.#note(this.#work(user))
  }

  /** Ends the workload: resolves when all that was asked has its answer. */
  async rest(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
  }

  /** What is still asked is not waited for: its clients close next. */
  close(): void {
    this.#stop.abort()
    this.#time.close()
  }

  /** Beside the workload. False where it makes no sense now. */
  perform(deed: Deed): boolean {
    const user = this.#users.find(({ client }) => client.name === deed.client)
    const answer = user && this.#begin(user, deed)
    if (answer !== undefined) this.#note(answer)
    return answer !== undefined
  }

  /**
   * Once nothing goes wrong any more: every client sends once more, and one takes all that there is. Undefined when it is empty, or at
   * the signal; else why it is not.
   */
  async drain(withinMs: number, signal: AbortSignal): Promise<string | undefined> {
    const { queueUsers, queueBooks } = { queueUsers: this.#users, queueBooks: this.books }
    const drain = new QueueDrain({ scheduler: this.#time, queueUsers, queueBooks })
    const { leaseMs } = this.#options.plan.queue
    const mostMs = withinMs + DRAIN_LEASES * leaseMs + DRAIN_MESSAGE_MS * queueBooks.messageCount
    const untilMs = performance.now() + mostMs
    drain.begin()
    for (;;) {
      const why = drain.whyNotDone
      if (why === undefined || signal.aborted) return undefined
      if (performance.now() > untilMs) return `not in ${mostMs} ms: ${why}`
      await pause(POLL_MS, signal)
    }
  }

  /** A queue that was not emptied says nothing of what is lost. */
  decide(): HistoryVerdict {
    const complaint = this.books.complaint()
    if (complaint !== undefined) return { verdict: 'fail', message: complaint }
    if (this.books.isDrained) return { verdict: 'pass', message: '' }
    return { verdict: 'unknown', message: 'the queue was not emptied: nothing is said of what is lost' }
  }

  #note(work: Promise<void>): void {
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }

  async #create(): Promise<void> {
    const [user] = this.#users
    const { signal } = this.#stop
    while (user !== undefined && !signal.aborted) {
      const isMade = await new Promise<boolean>((done) => user.create(CREATE_WITHIN_MS, done))
      if (isMade) return
      await pause(RETRY_MS, signal)
    }
  }

  async #work(user: QueueUser): Promise<void> {
    const { plan, nodeIds, dice } = this.#options
    const { signal } = this.#stop
    for (;;) {
      await pause(dice.exponential(plan.workload.thinkMs), signal)
      if (signal.aborted) return
      await this.#begin(user, drawQueueDeed({ plan, nodeIds: nodeIds() }, user.client.name, dice))
    }
  }

  /** Resolves with its answer, whatever that is; undefined where it makes no sense. */
  #begin(user: QueueUser, deed: Deed): Promise<void> | undefined {
    const { promise, resolve } = Promise.withResolvers<void>()
    return doWithQueue(user, deed, () => resolve()) ? promise : undefined
  }

  #client(name: string, index: number, client: Client): QueueClient {
    const core: QueueClient['core'] = {
      propose: (call) => this.#settle(name, call, client.propose(call.command, this.#timing(call))),
      query: (consistency, node, call) => {
        const where: { consistency: Consistency; node?: string } =
          node === undefined ? { consistency } : { consistency, node }
        this.#settle(name, call, client.query(call.command, { ...where, ...this.#timing(call) }))
      },
    }
    return { name, index, core, turn: () => {} }
  }

  #timing({ deadlineMs }: Call): { readonly timeoutMs: number } {
    return { timeoutMs: Math.max(1, deadlineMs - this.#time.nowMs) }
  }

  #settle(name: string, call: Call, asked: Promise<unknown>): void {
    const { answered, complain } = this.#options
    asked
      .finally(() => answered(name))
      .then(
        (answer) => call.resolve(answer),
        (error: unknown) => call.reject(asRaftError(error)),
      )
      // An answer that cannot be read, say.
      .catch((error: unknown) => complain(`${name}: ${error}`))
  }
}

function asRaftError(error: unknown): RaftError {
  if (error instanceof RaftError) return error
  return new RaftError('PROTOCOL', String(error), { reason: String(error) })
}

/** The clock of the computer, and its timers, in the words of the simulator. */
class RealTime {
  readonly #timers = new Set<NodeJS.Timeout>()

  get nowMs(): number {
    return performance.now()
  }

  after(delayMs: number, task: { run(): void }): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      task.run()
    }, delayMs)
    this.#timers.add(timer)
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }
}
