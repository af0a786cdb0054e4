/**
 * Records a node: decorators of everything that leads into a NodeDriver, so that its turns can be played again in the
 * simulator. Made only for a node that is to be recorded; without, none of this exists.
 *
 *     events ─► RecordedDriver ─► handle ─► RecordedStore, RecordedSnapshots, clock ─► what they answered
 *                    │                 └──► WatchedCore, transport, connections, outcomes ─► account
 *                    └─ one record a turn ─► RecordingFile
 *
 * Only what is asked within a turn, or while the node is put together, is recorded: whoever looks at it between turns changes
 * nothing. A recorder that fails, or whose file is full, leaves the node alone.
 */
import {
  type ControlOutcome,
  type DriverParts,
  type LogStore,
  type Message,
  NodeDriver,
  type NodeEvent,
  type PeerTransport,
  type RaftCore,
  type SnapshotStore,
  type StateSpaces,
} from '@troupe/core'
import type { ClientConnection, ClientEvent } from '@troupe/machines'
import {
  type KeptRows,
  RecordEncoder,
  type RecordedEvent,
  type RecordedSettings,
  TurnAccount,
  WatchedCore,
} from '@troupe/wire'
import { RecordedConnection } from './recorded-connection.ts'
import { RecordedSnapshots } from './recorded-snapshots.ts'
import { RecordedStore } from './recorded-store.ts'
import { RecordingFile, type RecordingOptions } from './recording-file.ts'
import type { Tape } from './tape.ts'

type Event = NodeEvent<ClientEvent>

/** Takes what went wrong while recording. */
export type RecordingFailed = (reason: string, path: string | undefined) => void

export class FlightRecorder implements Tape {
  readonly encoder = new RecordEncoder()
  readonly account = new TurnAccount()
  isRunning = true
  readonly #options: RecordingOptions
  readonly #failed: RecordingFailed
  readonly #connections = new Map<ClientConnection, RecordedConnection>()
  #opened = 0
  #file: RecordingFile | undefined
  #kept: KeptRows | undefined

  /** @param failed told once, where the recording ends before the node does */
  constructor(options: RecordingOptions, failed: RecordingFailed) {
    this.#options = options
    this.#failed = failed
  }

  // ---- decorators

  clock(nowMs: () => number): () => number {
    return () => {
      const time = nowMs()
      return this.isRunning ? this.encoder.time(time) : time
    }
  }

  store(inner: LogStore): LogStore {
    return new RecordedStore(this, inner)
  }

  snapshots(inner: SnapshotStore): SnapshotStore {
    return new RecordedSnapshots(this, inner)
  }

  transport(inner: PeerTransport): PeerTransport {
    return {
      send: (messages: readonly Message[]) => {
        this.account.sent(messages)
        inner.send(messages)
      },
    }
  }

  core(...parts: ConstructorParameters<typeof RaftCore>): RaftCore {
    return new WatchedCore(this.account, ...parts)
  }

  driver(parts: DriverParts<ClientEvent>): NodeDriver<ClientEvent> {
    const { onControl } = parts
    const told = (outcome: ControlOutcome): void => {
      this.account.control(outcome)
      onControl?.(outcome)
    }
    return new RecordedDriver(this, { ...parts, onControl: told })
  }

  /** An event of a client, whose connection tells what is sent over it. */
  client(event: ClientEvent): ClientEvent {
    const { connection, kind } = event
    if (kind === 'opened')
      this.#connections.set(connection, new RecordedConnection(this, connection, ++this.#opened))
    const recorded = this.#connections.get(connection)
    if (kind === 'closed') this.#connections.delete(connection)
    return recorded === undefined ? event : { ...event, connection: recorded }
  }

  // ---- records

  /** What the machine's state on the disk holds, before anybody reads it. */
  found(state: StateSpaces | undefined): void {
    if (state === undefined) return
    this.#kept = { machine: [...state.machine.entries()], replica: [...state.replica.entries()] }
  }

  /** The node is put together. */
  born(settings: RecordedSettings): void {
    this.isRunning = false
    this.account.take()
    const kept = this.#kept
    this.#kept = undefined
    this.#try(() => {
      this.#file = new RecordingFile(this.#options, settings.identity.id)
      this.#write(this.encoder.birth(settings, kept))
    })
  }

  began(events: readonly Event[]): void {
    if (this.#file === undefined) return
    this.isRunning = true
    for (const event of events) this.encoder.event(recordedEvent(event))
  }

  ended(driver: NodeDriver<never>): void {
    if (!this.isRunning) return
    this.isRunning = false
    this.account.state(driver)
    this.#try(() => this.#write(this.encoder.turn(this.account.take())))
  }

  /** The turn has thrown: the node goes down. */
  threw(error: unknown): void {
    if (!this.isRunning) return
    this.isRunning = false
    this.account.threw(error)
    this.#try(() => this.#write(this.encoder.turn(this.account.take())))
    this.close('failed')
  }

  /** Nothing follows. */
  close(reason = 'stopped'): void {
    this.#try(() => {
      this.#file?.write(this.encoder.end(reason), true)
      this.#drop()
    })
  }

  #write(parts: readonly Uint8Array[]): void {
    const file = this.#file
    if (file === undefined || file.write(parts)) return
    const reason = `it has reached ${this.#options.maxBytes} bytes`
    this.close(reason)
    this.#failed(reason, file.path)
  }

  /** What goes wrong here is not the node's business. */
  #try(write: () => void): void {
    try {
      write()
    } catch (error) {
      const path = this.#file?.path
      this.#drop()
      this.#failed(reasonOf(error), path)
    }
  }

  #drop(): void {
    const file = this.#file
    this.#file = undefined
    this.account.stop()
    file?.close()
  }
}

/** Its turns are recorded. */
class RecordedDriver extends NodeDriver<ClientEvent> {
  readonly #recorder: FlightRecorder

  constructor(recorder: FlightRecorder, parts: DriverParts<ClientEvent>) {
    super(parts)
    this.#recorder = recorder
  }

  override handle(events: readonly Event[]): void {
    this.#recorder.began(events)
    try {
      super.handle(events)
    } catch (error) {
      this.#recorder.threw(error)
      throw error
    }
    this.#recorder.ended(this)
  }
}

function recordedEvent(event: Event): RecordedEvent {
  if (event.kind !== 'client') return event
  const { kind, connection } = event.event
  // Every connection that opened is one.
  const { number } = connection as RecordedConnection
  if (kind === 'frame')
    return { kind: 'client', event: { kind, connection: number, bytes: event.event.bytes } }
  return { kind: 'client', event: { kind, connection: number } }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
