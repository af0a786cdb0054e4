/**
 * The history of what concurrent clients asked and were answered.
 *
 * An operation takes place at one moment between its call and its return. What failed for certain did not take
 * place and is left out; what may or may not have happened stays open: its moment is any after its call, or none.
 */
import { fromJson, toJson } from './values.ts'

/** How an operation ended: answered; certainly without effect; or nobody knows. */
export type Outcome = 'ok' | 'fail' | 'open'

/** One operation of a client. */
export interface Operation<Input, Output> {
  /** Which client. A label only: clients may have several operations at once. */
  readonly process: number
  readonly input: Input
  /** What was answered; undefined unless the outcome is `ok`. */
  readonly output: Output | undefined
  readonly callAt: number
  /** Infinity when open. An operation that is called when another returns, at the same number, is concurrent. */
  readonly returnAt: number
  readonly outcome: Outcome
  /** When that was by a clock, in ms, where somebody kept it: for people and for latencies. It decides nothing. */
  readonly callMs?: number
  readonly returnMs?: number
  /** Lines of the file that it comes from. */
  readonly callLine?: number
  readonly returnLine?: number
}

/** What happened to the operation with the number `id`, in the order of recording. */
export type HistoryEvent<Input, Output> =
  | {
      readonly type: 'call'
      readonly id: number
      readonly at: number
      readonly process: number
      readonly input: Input
    }
  | { readonly type: 'ok'; readonly id: number; readonly at: number; readonly output: Output }
  | { readonly type: 'fail' | 'open'; readonly id: number; readonly at: number }

/** An operation that was called. One of its methods is called, once; without any the operation is open. */
export interface PendingOperation<Output> {
  /** It was answered. */
  ok(output: Output, at?: number): void
  /** It certainly did not happen, and never will. A doubt is `open`. */
  fail(at?: number): void
  /** It may have happened, or happen at any time later. */
  open(at?: number): void
}

/**
 * Records operations.
 *
 * The order of calls and returns is a number of each event: by default a counter, which keeps the exact order of
 * recording and fits wherever one thread records everything. A clock given instead must be one for all clients;
 * events with the same number count as concurrent, which makes the check weaker, never wrong.
 */
export class History<Input, Output> {
  readonly #events: HistoryEvent<Input, Output>[] = []
  readonly #operations: {
    -readonly [Key in keyof Operation<Input, Output>]: Operation<Input, Output>[Key]
  }[] = []
  readonly #ended: boolean[] = []
  readonly #now: () => number

  /** `now` gives the number of an event whose number is not said. @default a counter */
  constructor(now?: () => number) {
    this.#now = now ?? (() => this.#events.length)
  }

  /** What was recorded, in that order. */
  get events(): readonly HistoryEvent<Input, Output>[] {
    return this.#events
  }

  /** How many operations were called. */
  get operationCount(): number {
    return this.#operations.length
  }

  /**
   * Records the call of an operation; the handle takes its end.
   *
   * @throws RangeError when a number is not finite, or an end comes before its call
   * @throws Error when an operation ends twice
   */
  invoke(process: number, input: Input, at: number = this.#now()): PendingOperation<Output> {
    if (!Number.isFinite(at)) throw new RangeError(`the number of an event is finite, not ${at}`)
    const id = this.#operations.length
    this.#events.push({ type: 'call', id, at, process, input })
    this.#operations.push({
      process,
      input,
      output: undefined,
      callAt: at,
      returnAt: Number.POSITIVE_INFINITY,
      outcome: 'open',
    })
    this.#ended.push(false)
    return {
      ok: (output, endAt = this.#now()) => this.#end({ type: 'ok', id, at: endAt, output }),
      fail: (endAt = this.#now()) => this.#end({ type: 'fail', id, at: endAt }),
      open: (endAt = this.#now()) => this.#end({ type: 'open', id, at: endAt }),
    }
  }

  #end(event: Exclude<HistoryEvent<Input, Output>, { type: 'call' }>): void {
    const operation = this.#operations[event.id]
    if (operation === undefined) throw new Error(`operation ${event.id} ended, but was never called`)
    if (this.#ended[event.id]) throw new Error(`operation ${event.id} has ended before`)
    if (!(event.at >= operation.callAt && Number.isFinite(event.at))) {
      throw new RangeError(`operation ${event.id}, called at ${operation.callAt}, cannot end at ${event.at}`)
    }
    this.#ended[event.id] = true
    this.#events.push(event)
    operation.outcome = event.type
    if (event.type !== 'open') operation.returnAt = event.at
    if (event.type === 'ok') operation.output = event.output
  }

  /** The operations that happened or may have, in the order of recording. Those without an end are open. */
  operations(): Operation<Input, Output>[] {
    return this.#operations.filter(({ outcome }) => outcome !== 'fail').map((operation) => ({ ...operation }))
  }

  /** One line of JSON for each event. `parse` reads it back. */
  stringify(): string {
    return this.#events.map((event) => `${JSON.stringify(toJson(event))}\n`).join('')
  }

  /**
   * Reads what `stringify` wrote. Inputs and outputs are taken as they are: they are the caller's to trust.
   *
   * @throws SyntaxError that names the first line that is no event
   */
  static parse<Input, Output>(text: string): History<Input, Output> {
    const history = new History<Input, Output>()
    for (const [index, line] of text.split('\n').entries()) {
      if (line.trim() === '') continue
      try {
        history.record(JSON.parse(line))
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new SyntaxError(`line ${index + 1} of the history: ${reason}`)
      }
    }
    return history
  }

  /** Takes an event as a line of `stringify` has it. @throws Error when it is none, or out of turn */
  record(json: unknown): void {
    const event = fromJson(json) as Partial<HistoryEvent<Input, Output>> | null
    if (typeof event?.id !== 'number' || typeof event.at !== 'number') throw new Error('not an event')
    const { id, at } = event
    switch (event.type) {
      case 'call':
        if (id !== this.#operations.length) throw new Error(`operation ${id} is out of turn`)
        if (typeof event.process !== 'number') throw new Error('a call has the number of its process')
        this.invoke(event.process, event.input as Input, at)
        return
      case 'ok':
        return this.#end({ type: 'ok', id, at, output: event.output as Output })
      case 'fail':
      case 'open':
        return this.#end({ type: event.type, id, at })
      default:
        throw new Error(`an event is call, ok, fail or open, not ${event.type}`)
    }
  }
}
