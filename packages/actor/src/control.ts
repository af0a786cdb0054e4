/// <reference path="./comlink.d.ts" />
/**
 * The control plane of an actor: typed calls by comlink over a MessagePort of their own. For what is rare
 * (status, membership changes, faults); never on the hot path.
 *
 * comlink leaves two things open. It never settles a call whose worker died, so each call here has a time
 * limit and `exited` rejects all that are pending. And it drops `code` and `data` of errors, so answers cross
 * as values, `{ value }` or `{ error }` in wire form, and comlink carries one function: (method, args) →
 * answer.
 */
import type { MessagePort } from 'node:worker_threads'
import { invalidOption, RaftError, type WireError } from '@troupe/core'
import { expose, releaseProxy, wrap } from 'comlink/dist/esm/comlink.mjs'
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs'
import { textOf, unavailable } from './obituary.ts'

/** The callers' side of an API object: its methods, each returning a promise. */
export type Remote<Api> = {
  readonly [M in keyof Api as Api[M] extends (...args: never) => unknown ? M : never]: Api[M] extends (
    ...args: infer Args
  ) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never
}

/** Calls a method by name; what a {@link Remote} is made of. */
export type Invoke = (method: string, args: readonly unknown[]) => Promise<unknown>

type Answer = { readonly value: unknown } | { readonly error: WireError } | { readonly fault: string }

/**
 * Answers calls from the other end of `port` with the methods of `api` (own or inherited). A RaftError that a
 * method throws is the caller's. Anything else is a bug: the caller gets NODE_UNAVAILABLE and `onFault` gets
 * the error.
 */
export function exposeControl(port: MessagePort, api: object, onFault?: (error: unknown) => void): void {
  const invoke = async (method: string, args: unknown[]): Promise<Answer> => {
    try {
      return { value: await methodOf(api, method).apply(api, args) }
    } catch (error) {
      if (error instanceof RaftError) return { error: error.toWire() }
      onFault?.(error)
      return { fault: textOf(error) }
    }
  }
  expose(invoke, nodeEndpoint(port))
}

/** Options of {@link controlProxy}. */
export interface ControlOptions {
  /** The actor's name, for errors. */
  readonly actorId: string
  /** How long a call may take, in ms. */
  readonly timeoutMs: number
  /** Settles when the worker is gone, with what it died of: rejects every pending and later call. */
  readonly exited: Promise<RaftError | undefined>
  /** Calls not answered yet, those given up included. One more is rejected. @default 1024 */
  readonly maxPendingCalls?: number
}

/** The main thread's end of a control port. */
export interface ControlProxy<Api> {
  /**
   * The actor's API. Each call rejects with the RaftError its method threw, or with
   * NODE_UNAVAILABLE when the worker died, did not answer within `timeoutMs`, or broke;
   * SHUTTING_DOWN when the proxy was closed;
   * INVALID_OPTIONS when an argument cannot be cloned or there is no such method.
   */
  readonly api: Remote<Api>
  readonly invoke: Invoke
  /** Rejects what is pending, releases comlink's proxy and closes the port. Idempotent. */
  close(): void
}

/** Wraps the other end of a port given to {@link exposeControl}. Takes over the port. */
export function controlProxy<Api>(port: MessagePort, options: ControlOptions): ControlProxy<Api> {
  const calls = new ControlCalls(port, options)
  const invoke: Invoke = (method, args) => calls.invoke(method, args)
  return { api: remoteApi<Api>(invoke), invoke, close: () => calls.close() }
}

/** Makes an API of a function that calls by name. */
export function remoteApi<Api>(invoke: Invoke): Remote<Api> {
  const methods = new Map<string, (...args: unknown[]) => Promise<unknown>>()
  const api = new Proxy(Object.create(null) as object, {
    get(_target, name) {
      // No `then`: an API returned from an async function must not be taken for a promise.
      if (typeof name !== 'string' || name === 'then') return undefined
      let method = methods.get(name)
      if (method === undefined) {
        method = (...args) => invoke(name, args)
        methods.set(name, method)
      }
      return method
    },
  })
  return api as Remote<Api>
}

class ControlCalls {
  readonly #port: MessagePort
  readonly #options: ControlOptions
  /** Held as long as this object: comlink closes what is collected. */
  readonly #remote: ((method: string, args: readonly unknown[]) => Promise<Answer>) & {
    [releaseProxy](): void
  }
  readonly #rejects = new Set<(error: RaftError) => void>()
  #unanswered = 0
  #ended: RaftError | undefined

  constructor(port: MessagePort, options: ControlOptions) {
    this.#port = port
    this.#options = options
    this.#remote = wrap(nodeEndpoint(port))
    void options.exited.then((error) => {
      const reason = error === undefined ? 'its worker is gone' : `its worker died: ${error.message}`
      this.#end(unavailable(options.actorId, reason, error))
    })
  }

  invoke(method: string, args: readonly unknown[]): Promise<unknown> {
    const { actorId, timeoutMs, maxPendingCalls = 1024 } = this.#options
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    if (this.#unanswered >= maxPendingCalls) {
      return Promise.reject(unavailable(actorId, `it leaves ${this.#unanswered} calls unanswered`))
    }
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        this.#rejects.delete(fail)
      }
      const fail = (error: RaftError) => {
        settle()
        reject(error)
      }
      const late = () => fail(unavailable(actorId, `no answer to ${method}() within ${timeoutMs} ms`))
      const timer = setTimeout(late, timeoutMs)
      this.#rejects.add(fail)
      this.#call(method, args).then((value) => {
        settle()
        resolve(value)
      }, fail)
    })
  }

  close(): void {
    const { actorId } = this.#options
    this.#end(new RaftError('SHUTTING_DOWN', `${actorId}: its control port is closed`, { what: actorId }))
  }

  async #call(method: string, args: readonly unknown[]): Promise<unknown> {
    const { actorId } = this.#options
    const answer = await this.#post(method, args)
    if ('value' in answer) return answer.value
    if ('error' in answer) throw RaftError.fromWire(answer.error)
    throw unavailable(actorId, `${method}() broke: ${answer.fault}`)
  }

  async #post(method: string, args: readonly unknown[]): Promise<Answer> {
    this.#unanswered++
    try {
      return await this.#remote(method, args)
    } catch (error) {
      if (error instanceof Error && error.name === 'DataCloneError') {
        throw invalidOption(`${method}()`, error.message, 'arguments that structured clone can carry')
      }
      // comlink says so when the answer cannot be cloned.
      return { fault: textOf(error) }
    } finally {
      this.#unanswered--
    }
  }

  #end(error: RaftError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    for (const reject of [...this.#rejects]) reject(error)
    this.#remote[releaseProxy]()
    // comlink closes ports only where it knows them as ports, which is not so behind its own node adapter.
    this.#port.close()
  }
}

function methodOf(api: object, name: string): (...args: unknown[]) => unknown {
  const method: unknown = name in Object.prototype ? undefined : Reflect.get(api, name)
  if (typeof method === 'function') return method as (...args: unknown[]) => unknown
  throw invalidOption('method', name, 'a method of the control API')
}
