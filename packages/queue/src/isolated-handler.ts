/** A handler in a module of its own, run by worker threads: it may use up a core, and no lease or sign of life is late. */
import { invalidOption } from '@troupe/core'
import type { Delivery } from './delivery.ts'
import type { Handler } from './worker.ts'

/** What the default export of the module is called with: a copy. Its result is the message's, what it throws is a nack. */
export interface IsolatedMessage<T> {
  readonly data: T
  readonly id: string | undefined
  readonly key: string | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly position: number
  readonly deliveries: number
}

export interface IsolatedHandler<T> {
  readonly handle: Handler<T>
  /** Ends its threads. */
  close(): Promise<void>
}

/**
 * @param module its default export is the handler
 * @param threads at most; they begin with the first message and end when they have nothing to do
 */
export function isolatedHandler<T>(module: URL, threads: number): IsolatedHandler<T> {
  if (!(module instanceof URL))
    throw invalidOption(
      'handler',
      module,
      'the URL of a module whose default export it is, with isolate: true',
    )
  // Only who isolates loads it.
  const pool = import('piscina').then(
    ({ Piscina }) =>
      new Piscina({ filename: module.href, minThreads: 0, maxThreads: threads, idleTimeout: 10_000 }),
  )
  // Told by each message that cannot be handled.
  pool.catch(() => {})
  return {
    handle: async (delivery, signal) => {
      // A lost lease ends its thread: what it does is done again elsewhere.
      const either = AbortSignal.any([signal, delivery.signal])
      return (await pool).run(messageOf(delivery), { signal: either })
    },
    close: async () => {
      await (await pool.catch(() => undefined))?.close({ force: true })
    },
  }
}

function messageOf<T>({ data, id, key, headers, position, deliveries }: Delivery<T>): IsolatedMessage<T> {
  return { data, id, key, headers, position, deliveries }
}
