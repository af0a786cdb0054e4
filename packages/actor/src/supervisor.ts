import { EventEmitter } from 'node:events'
import { invalidOption, RaftError } from '@troupe/core'
import { type ActorEvents, ActorHandle, type ActorSpec, type EmitActorEvent } from './actor-handle.ts'

/** Options of a {@link Supervisor}. */
export interface SupervisorOptions {
  /** Draws from [0, 1), for the jitter of restarts. @default Math.random */
  readonly random?: () => number
}

/**
 * Owns the actors of a process: spawns their workers, sees them die, starts them again. Lives on the main
 * thread. Events (see {@link ActorEvents}) are emitted at once, in the very event of the worker that tells of
 * them.
 */
export class Supervisor extends EventEmitter<ActorEvents> {
  readonly #random: () => number
  readonly #actors = new Map<string, ActorHandle<never>>()
  #closed = false

  constructor(options: SupervisorOptions = {}) {
    super()
    this.#random = options.random ?? Math.random
  }

  /**
   * Adds an actor, idle: `start()` starts it. `Api` is the type of the control object its module gives.
   * @throws RaftError INVALID_OPTIONS when the id is taken or the spec is wrong; SHUTTING_DOWN after
   *   `stopAll`
   */
  spawn<Api = unknown>(spec: ActorSpec): ActorHandle<Api> {
    if (this.#closed) throw new RaftError('SHUTTING_DOWN', 'the supervisor is stopping', { what: spec.id })
    if (this.#actors.has(spec.id)) throw invalidOption('id', spec.id, 'a name no other actor has')
    const emit: EmitActorEvent = (event, ...args) => {
      this.emit<typeof event>(event, ...(args as never))
    }
    const actor = new ActorHandle<Api>(spec, emit, this.#random)
    this.#actors.set(spec.id, actor as unknown as ActorHandle<never>)
    return actor
  }

  /** Stops an actor for good and forgets it: its id is free again. Nothing where there is none of that id. */
  async remove(id: string): Promise<void> {
    const actor = this.#actors.get(id)
    await actor?.stop()
    this.#actors.delete(id)
  }

  /** All actors, in the order they were spawned. */
  get actors(): readonly ActorHandle[] {
    return [...this.#actors.values()] as unknown as ActorHandle[]
  }

  /**
   * Stops all actors at the same time (see `ActorHandle.stop`) and takes no new ones. Resolves when the last
   * worker is gone.
   */
  async stopAll(options: { readonly withinMs?: number } = {}): Promise<void> {
    this.#closed = true
    await Promise.all(this.actors.map((actor) => actor.stop(options)))
  }
}
