/**
 * The apply loop: entries in, outcomes out. Sessions and the state machine side by side, both replicated.
 * The same on every replica; only a node that clients wait at listens to the outcomes.
 *
 * With a machine on the disk all of it is kept there: what the entries of one turn have changed is one transaction, which
 * also says up to which entry it goes. A restart goes on behind that, and nothing is applied twice.
 *
 * A machine with segments may leave them where they are at a stop in good order, and the rest beside them.
 */
import {
  type Entry,
  EntryKind,
  entryPayload,
  invariant,
  type KeptState,
  type StateLoader,
  type StateStorage,
} from '@troupe/core'
import { type CommandFrame, NEW_SESSION, readCommandFrames } from './command-frame.ts'
import { KeptReplica } from './kept-replica.ts'
import {
  type Codec,
  type CommandMeta,
  type RestingMachine,
  refusalReason,
  reject,
  type StateMachine,
} from './machine.ts'
import type { CommandError, Outcome } from './outcome.ts'
import { type ReplicaState, StateReader, StateSave } from './saved-state.ts'
import { defaultSessionLimits, type SessionLimits, Sessions } from './sessions.ts'

/** Who waits for what becomes of commands. */
export interface OutcomeListener {
  sessionOpened(nonce: number, session: number): void
  outcome(session: number, outcome: Outcome): void
  /** The frame was not applied: a command before it is missing. */
  gap(session: number, expected: number): void
  /** The frame was not applied: its session is unknown or was evicted. */
  stale(session: number, first: number): void
}

/** What is left of a replica at a stop in good order, beside its machine's segments. */
export interface RestingReplica extends RestingMachine {
  readonly position: KeptState
}

/** One for all commands of an entry. */
type ReusedMeta = { -readonly [Field in keyof CommandMeta]: CommandMeta[Field] }

export class ReplicatedMachine {
  readonly machine: StateMachine
  /** Commands applied since this replica was made. */
  commandsApplied = 0
  readonly #codec: Codec
  readonly #limits: SessionLimits
  readonly #storage: StateStorage | undefined
  readonly #rows: KeptReplica | undefined
  #sessions: Sessions
  #appliedIndex = 0
  #appliedTerm = 0
  #timeMs = 0
  #resumed: KeptState | undefined

  /**
   * @param limits must be the same on every replica
   * @param storage where all of it is kept, for a machine on the disk: the one whose `machine` it was made with
   */
  constructor(
    machine: StateMachine,
    codec: Codec,
    limits: SessionLimits = defaultSessionLimits,
    storage?: StateStorage,
  ) {
    this.machine = machine
    this.#codec = codec
    this.#limits = limits
    this.#storage = storage
    this.#rows = storage && new KeptReplica(storage.replica, codec)
    this.#sessions = this.#newSessions()
    const kept = this.#rows?.read(this.#sessions)
    if (kept !== undefined) this.#standFor(kept)
  }

  #newSessions(): Sessions {
    return new Sessions(this.#limits, this.#storage !== undefined)
  }

  #standFor({ index, term, timeMs }: KeptState): void {
    this.#appliedIndex = index
    this.#appliedTerm = term
    this.#timeMs = timeMs
  }

  /** Another object after each load. */
  get sessions(): Sessions {
    return this.#sessions
  }

  get appliedIndex(): number {
    return this.#appliedIndex
  }

  /** Log time of the last entry applied. */
  get timeMs(): number {
    return this.#timeMs
  }

  /** Log time of the first thing that the machine does by itself; Infinity where there is none. */
  get dueMs(): number {
    return this.machine.dueMs ?? Number.POSITIVE_INFINITY
  }

  /** About how many bytes a snapshot would have, where the machine knows. */
  get stateBytes(): number | undefined {
    return this.machine.stateBytes
  }

  /** Whether the machine wants to be told of connections that close. */
  get watchesConnections(): boolean {
    return this.machine.connectionClosed !== undefined
  }

  /** Where the state is on the disk, or was left there at rest: what it stands for. */
  get kept(): KeptState | undefined {
    return this.#storage ? this.#standing : this.#resumed
  }

  get #standing(): KeptState {
    return { index: this.#appliedIndex, term: this.#appliedTerm, timeMs: this.#timeMs }
  }

  /** Gives up what was kept on the disk: the state is empty. */
  discard(): void {
    this.#storage?.discard()
    this.#sessions = this.#newSessions()
    this.#standFor({ index: 0, term: 0, timeMs: 0 })
  }

  /**
   * Applies committed entries. On the disk that is one transaction: what makes it fail leaves the state there as it was,
   * and this object is of no use any more.
   */
  applyAll(entries: readonly Entry[], listener: OutcomeListener): void {
    if (this.#storage === undefined) {
      for (const entry of entries) this.apply(entry, listener)
      return
    }
    this.#storage.batch(() => {
      for (const entry of entries) this.apply(entry, listener)
      this.#rows?.write(this.#standing, this.#sessions)
    })
  }

  /** Applies one committed entry; on the disk only as a part of {@link applyAll}. A payload that makes no sense is skipped, alike on every replica. */
  apply(entry: Entry, listener: OutcomeListener): void {
    this.#appliedIndex = entry.index
    this.#appliedTerm = entry.term
    this.#timeMs = entry.timeMs
    this.#sessions.expire(entry.timeMs)
    if (entry.kind !== EntryKind.commands) return
    const frames = readCommandFrames(entryPayload(entry))
    if (typeof frames === 'string') return
    const meta: ReusedMeta = { index: entry.index, timeMs: entry.timeMs, session: undefined }
    if (frames.length === 0) this.machine.passTime?.(meta)
    for (const frame of frames) {
      meta.session = frame.session
      this.#applyFrame(frame, meta, listener)
    }
  }

  #applyFrame(frame: CommandFrame, meta: CommandMeta, listener: OutcomeListener): void {
    if (frame.session === NEW_SESSION) {
      listener.sessionOpened(frame.first, this.#sessions.open(meta.timeMs))
      return
    }
    if (frame.count === 0) return this.machine.connectionClosed?.(meta)
    const admission = this.#sessions.admit(frame, meta.timeMs)
    switch (admission.kind) {
      case 'stale':
        return listener.stale(frame.session, frame.first)
      case 'gap':
        return listener.gap(frame.session, admission.expected)
      case 'full':
        return listener.gap(frame.session, frame.first)
      case 'duplicate':
        for (const outcome of admission.answered) listener.outcome(frame.session, outcome)
        return
      case 'apply': {
        for (const outcome of admission.answered) listener.outcome(frame.session, outcome)
        const outcome = this.#run(frame, admission.skip, meta)
        this.commandsApplied += outcome.count
        this.#sessions.record(frame.session, outcome)
        listener.outcome(frame.session, outcome)
      }
    }
  }

  /** Runs the commands of a frame but the first `skip`. */
  #run(frame: CommandFrame, skip: number, meta: CommandMeta): Outcome {
    const first = frame.first + skip
    const count = frame.count - skip
    if (this.machine.applyPayload !== undefined && skip === 0) return this.#runPayload(frame, meta)
    const commands = this.#decode(frame)
    if (typeof commands === 'string') return allFailed(first, count, commands)
    let results: unknown[] | undefined
    let errors: CommandError[] | undefined
    for (let offset = 0; offset < count; offset++) {
      try {
        const result = this.#plain(this.machine.apply(commands[skip + offset], meta))
        if (result === undefined) continue
        results ??= new Array<unknown>(count).fill(undefined)
        results[offset] = result
      } catch (error) {
        errors ??= []
        errors.push([offset, refusalReason(error)])
      }
    }
    return { first, count, results, errors }
  }

  /**
   * A result as a plain value that is nobody else's: it becomes part of the state and goes to clients, and must be the same
   * later. Refuses what has no encoding, alike on every replica.
   */
  #plain(result: unknown): unknown {
    switch (typeof result) {
      case 'undefined':
      case 'string':
      case 'number':
      case 'boolean':
        return result
      case 'object': {
        if (result === null) return null
        if ('then' in result && typeof result.then === 'function')
          throw reject('the machine returned a promise')
        try {
          return this.#codec.decode(this.#codec.encode(result))
        } catch {
          throw reject('the result of the machine cannot be encoded')
        }
      }
      default:
        throw reject(`the result of the machine is a ${typeof result}`)
    }
  }

  #runPayload({ first, count, payload }: CommandFrame, meta: CommandMeta): Outcome {
    try {
      const batch = this.machine.applyPayload?.(payload, count, meta)
      const results = batch?.results
      const plain =
        results === undefined || 'from' in results ? results : results.map((one) => this.#plain(one))
      return { first, count, results: plain, errors: batch?.errors }
    } catch (error) {
      return allFailed(first, count, refusalReason(error))
    }
  }

  /** The commands of a frame, or why there are none: the same words on every replica. */
  #decode(frame: CommandFrame): readonly unknown[] | string {
    let commands: unknown
    try {
      commands = this.#codec.decode(frame.payload)
    } catch {
      return 'the command does not decode'
    }
    if (!Array.isArray(commands) || commands.length !== frame.count)
      return 'the frame does not hold its commands'
    return commands
  }

  // ---- the whole state

  /** The replicated state: applied index, log time, sessions, machine. Equal states give equal bytes. For digests. */
  *save(): Iterable<Uint8Array> {
    const { appliedIndex, timeMs, lastSession, sessions } = this.#state()
    yield this.#codec.encode([appliedIndex, timeMs, lastSession])
    for (let next = sessions.next(); next.done !== true; next = sessions.next()) yield next.value
    yield* this.machine.save()
  }

  /**
   * The same as it is now, in pieces that are pulled over many turns while entries are applied. Where the machine has no
   * `beginSave` its state is drained at once into memory. Give it up by `return`.
   */
  beginSave(): Iterator<Uint8Array> {
    const machine = this.machine.beginSave?.() ?? [...this.machine.save()].values()
    return new StateSave(this.#state(), machine, this.#codec)
  }

  #state(): ReplicaState {
    return {
      appliedIndex: this.#appliedIndex,
      timeMs: this.#timeMs,
      lastSession: this.#sessions.lastId,
      sessions: this.#sessions.view(this.#codec),
    }
  }

  /**
   * Begins to replace the state by pieces that `beginSave` gave, however they are cut. Up to its end the state is the old
   * one. Its methods throw RaftError STORAGE_DAMAGED where the pieces make no sense.
   * @param term of the last entry that it stands for
   */
  beginLoad(term: number): StateLoader {
    const draft = this.#storage?.beginDraft()
    const machine = this.machine.beginLoad?.(draft?.machine) ?? gathered(this.machine)
    if (draft === undefined) return this.#loader(machine, term)
    const write = (standing: KeptState, sessions: Sessions): void =>
      new KeptReplica(draft.replica, this.#codec).write(standing, sessions)
    const loader = this.#loader(machine, term, write)
    return {
      chunk: (bytes) => draft.batch(() => loader.chunk(bytes)),
      end: () => {
        draft.batch(() => loader.end())
        draft.adopt()
      },
    }
  }

  #loader(
    machine: StateLoader,
    term: number,
    loaded?: (standing: KeptState, sessions: Sessions) => void,
  ): StateLoader {
    const sessions = this.#newSessions()
    const reader = new StateReader(sessions, machine, this.#codec)
    return {
      chunk: (bytes) => reader.chunk(bytes),
      end: () => {
        const standing = { ...reader.end(), term }
        loaded?.(standing, sessions)
        this.#sessions = sessions
        this.#standFor(standing)
      },
    }
  }

  // ---- at rest

  /**
   * At a stop in good order: the state without what the machine has in its segments, and what it stands for. Undefined where
   * the machine has no such thing, or nothing was applied.
   */
  rest(): RestingReplica | undefined {
    if (this.machine.rest === undefined || this.#appliedIndex === 0) return undefined
    const { segments, pieces } = this.machine.rest()
    return {
      position: { ...this.#standing, isAtRest: true },
      segments,
      pieces: new StateSave(this.#state(), pieces, this.#codec),
    }
  }

  /** Takes in what `rest` gave, on a new replica whose segments are as they were. After its end this is `kept`. */
  beginResume(position: KeptState): StateLoader {
    const machine = this.machine.beginResume?.()
    invariant(machine !== undefined, 'the machine cannot be resumed')
    return this.#loader(machine, position.term, () => {
      this.#resumed = position
    })
  }
}

/** A loader for a machine that has none: keeps all pieces, and loads them at once. */
function gathered(machine: StateMachine): StateLoader {
  const chunks: Uint8Array[] = []
  return {
    // Not slice(): that of a Buffer is a view.
    chunk: (bytes) => void chunks.push(new Uint8Array(bytes)),
    end: () => machine.load(chunks),
  }
}

function allFailed(first: number, count: number, reason: string): Outcome {
  const errors = Array.from({ length: count }, (_, offset): CommandError => [offset, reason])
  return { first, count, results: undefined, errors }
}
