/**
 * The end of a run with a queue, once nothing goes wrong any more: every client sends once more, and one consumer takes what is
 * there until the machine says that nothing but dead messages is left. What the others held comes back when their leases end.
 */
import type { QueueStats } from '@troupe/machines'
import type { Task } from '../scheduler.ts'
import type { QueueBooks } from './queue-books.ts'
import type { QueueUser } from './queue-user.ts'

export interface DrainHost {
  readonly scheduler: { after(delayMs: number, task: Task): void }
  readonly queueUsers: readonly QueueUser[]
  readonly queueBooks: QueueBooks
}

const PAUSE_MS = 20
const TIMEOUT_MS = 5000
const LEASE_MS = 60_000
const ALL = 64

export class QueueDrain {
  readonly #host: DrainHost
  #unsent: number
  #isDrained = false
  #hasLeft = false
  #stats: QueueStats | undefined

  constructor(host: DrainHost) {
    this.#host = host
    this.#unsent = host.queueUsers.length
  }

  begin(): void {
    for (const user of this.#host.queueUsers) {
      this.#sendOnce(user)
      user.client.turn()
    }
    this.#user.beginAnew(LEASE_MS)
    this.#next()
    this.#user.client.turn()
  }

  /** Undefined once all is done. */
  get whyNotDone(): string | undefined {
    if (this.#unsent > 0) return `${this.#unsent} clients have not sent`
    if (this.#hasLeft) return undefined
    return this.#isDrained ? 'the consumer has not left' : `the queue holds ${JSON.stringify(this.#stats)}`
  }

  /** Where sessions are few, another client's pushes this one out: then it sends again. */
  #sendOnce(user: QueueUser): void {
    user.send({ key: '', named: false, count: 1, delayMs: 0 }, TIMEOUT_MS, (isAnswered, code) => {
      // Dead messages may fill it: that is an answer too.
      if (isAnswered || code === 'REJECTED') this.#unsent--
      else this.#later(() => this.#sendOnce(user))
    })
  }

  #later(run: () => void): void {
    const { scheduler, queueUsers } = this.#host
    scheduler.after(PAUSE_MS, {
      run: () => {
        run()
        for (const { client } of queueUsers) client.turn()
      },
    })
  }

  get #user(): QueueUser {
    return this.#host.queueUsers[0] as QueueUser
  }

  /** fetch ─► ack, or a sign of life ─► fetch … and where nothing came: is anything left? */
  #next(): void {
    const user = this.#user
    user.fetch('linearizable', undefined, TIMEOUT_MS, () => {
      const how = user.heldCount > 0 ? 'ack' : 'extend'
      const isIdle = how === 'extend'
      const then = (): void => (isIdle ? this.#look() : this.#next())
      if (!user.settle(how, ALL, TIMEOUT_MS, () => this.#later(then))) this.#later(() => this.#next())
    })
  }

  #look(): void {
    let found: QueueStats | undefined
    this.#user.stats(
      TIMEOUT_MS,
      (stats) => {
        found = stats
        this.#stats = stats
      },
      () => this.#later(() => this.#looked(found)),
    )
  }

  #looked(stats: QueueStats | undefined): void {
    const dead = stats?.groups[0]?.dead
    if (this.#unsent > 0 || stats === undefined || stats.messages !== dead) return this.#next()
    this.#isDrained = true
    this.#host.queueBooks.drained(stats)
    this.#leave()
  }

  #leave(): void {
    const left = this.#user.leave(false, TIMEOUT_MS, () => {
      this.#hasLeft = true
    })
    if (!left) this.#hasLeft = true
  }
}
