/**
 * Plays the recording of one start of a node: its driver, core, gateway and machine as they are, with the recorded answers in
 * the place of clock and ports, turn by turn.
 *
 *     birth ─► the node is put together, in the order of cluster/src/raft-node.ts
 *     turn ──► events ─► NodeDriver.handle ─► account ─► equal to the recorded one? hash too? ─► next turn, or Difference
 *
 * Whatever a node does that does not follow from its recording shows as a difference: another release of the code, a bug on
 * purpose, a state machine that is no function of its commands, a file that somebody has changed.
 */
import { NodeDriver, seededRandom } from '@troupe/core'
import {
  type ClientConnection,
  type ClientEvent,
  createMachine,
  Gateway,
  type GatewayOptions,
  type MachineDefinition,
  MemoryStateStorage,
  ReplicatedMachine,
  type SessionLimits,
} from '@troupe/machines'
import {
  codec,
  crc32,
  deedsOf,
  hashOf,
  type KeptRows,
  type Recorded,
  type RecordedBirth,
  type RecordedClientEvent,
  type RecordedTurn,
  TurnAccount,
  WatchedCore,
} from '@troupe/wire'
import { describeEvent } from '../timeline.ts'
import { describeDifference } from './describe-turn.ts'
import { OffScript, PortScript } from './port-script.ts'
import { ScriptedSnapshots, ScriptedStore } from './scripted-ports.ts'

/** Where a node does something else than it did. */
export interface Difference {
  /** The first turn is 1; 0 is what comes before it. */
  readonly turn: number
  /** What the turn was given. */
  readonly events: readonly string[]
  readonly recorded: string
  readonly replayed: string
}

export class Replay {
  /** Turns that were the same. */
  turns = 0
  /** Why the recording ends; undefined where it does not say. */
  ended: string | undefined
  readonly birth: RecordedBirth
  readonly #script = new PortScript()
  readonly #account = new TurnAccount()
  readonly #connections = new Map<number, ClientConnection>()
  #refusedSends: readonly number[] = []
  #driver: NodeDriver<ClientEvent> | undefined
  #hash = 0

  constructor(birth: RecordedBirth) {
    this.birth = birth
  }

  /** The node as it stands; undefined where it could not be put together. */
  get driver(): NodeDriver<ClientEvent> | undefined {
    return this.#driver
  }

  /**
   * Puts the node together.
   * @param definition of the machine that `birth.settings` names
   */
  begin(definition: MachineDefinition): Difference | undefined {
    const { timesMs, results } = this.birth
    this.#script.turnTo(timesMs, results)
    try {
      this.#driver = this.#newDriver(definition)
      this.#script.over()
      this.#account.take()
      return undefined
    } catch (error) {
      if (error instanceof OffScript) return { turn: 0, events: [], ...bothSides(error) }
      throw error
    }
  }

  #newDriver(definition: MachineDefinition): NodeDriver<ClientEvent> {
    const { identity, configuration, machineOptions, raft, gateway, sessions, seed } = this.birth.settings
    const storage = this.birth.kept && keptStorage(this.birth.kept)
    const context = { codec, checksum: crc32, options: machineOptions, storage: storage?.machine }
    const machine = createMachine(definition, context)
    const replica = new ReplicatedMachine(machine, codec, sessions as SessionLimits, storage)
    const nowMs = (): number => this.#script.nowMs()
    const application = new Gateway(replica, codec, gateway as GatewayOptions, nowMs)
    const store = new ScriptedStore(this.#script)
    const snapshots = new ScriptedSnapshots(this.#script, this.#account)
    const random = seededRandom(seed)
    const options = { ...raft, identity, configuration, random, checksum: crc32, kept: replica.kept }
    return new NodeDriver({
      core: new WatchedCore(this.#account, options, store, snapshots, nowMs()),
      store,
      snapshots,
      transport: { send: (messages) => this.#account.sent(messages) },
      application,
      clock: { nowMs },
      checksum: crc32,
      knobs: raft,
      onControl: (outcome) => this.#account.control(outcome),
    })
  }

  /** Plays what comes next. */
  play(record: Recorded): Difference | undefined {
    if (record.kind === 'end') this.ended = record.reason
    if (record.kind !== 'turn' || this.#driver === undefined) return undefined
    return this.#turn(record, this.#driver)
  }

  #turn(record: RecordedTurn, driver: NodeDriver<ClientEvent>): Difference | undefined {
    this.#script.turnTo(record.timesMs, record.results)
    this.#refusedSends = record.refusedSends
    const differs = (sides: Sides): Difference => {
      return { turn: this.turns + 1, events: record.events.map(describeEvent), ...sides }
    }
    try {
      driver.handle(
        record.events.map((event) =>
          event.kind === 'client' ? ({ kind: 'client', event: this.#client(event.event) } as const) : event,
        ),
      )
      this.#script.over()
      this.#account.state(driver)
    } catch (error) {
      if (error instanceof OffScript) return differs(bothSides(error))
      this.#account.threw(error)
    }
    const sides = this.#compare(this.#account.take(), record)
    if (sides !== undefined) return differs(sides)
    this.turns++
    return undefined
  }

  #compare(account: Uint8Array, record: RecordedTurn): Sides | undefined {
    if (!areEqual(account, record.account))
      return describeDifference(deedsOf(record.account), deedsOf(account))
    this.#hash = hashOf(account, this.#hash)
    if (this.#hash === record.hash) return undefined
    // Its own deeds are the same: a turn before this one is missing, or was changed together with its account.
    return { recorded: `the hash ${record.hash} of all turns so far`, replayed: `the hash ${this.#hash}` }
  }

  #client(event: RecordedClientEvent): ClientEvent {
    const { kind, connection: number } = event
    if (kind === 'opened') this.#connections.set(number, this.#connect(number))
    const connection = this.#connections.get(number)
    if (connection === undefined)
      throw new OffScript(`${kind} of connection ${number}`, `connection ${number}, which was never opened`)
    if (kind === 'closed') this.#connections.delete(number)
    return kind === 'frame' ? { kind, connection, bytes: event.bytes } : { kind, connection }
  }

  #connect(number: number): ClientConnection {
    return {
      send: (frame) => !this.#refusedSends.includes(this.#account.reply(number, frame)),
      close: (offence) => this.#account.hangUp(number, offence),
    }
  }
}

type Sides = Pick<Difference, 'recorded' | 'replayed'>

const bothSides = ({ recorded, replayed }: OffScript): Sides => ({ recorded, replayed })

function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.byteLength !== right.byteLength) return false
  for (let at = 0; at < left.byteLength; at++) if (left[at] !== right[at]) return false
  return true
}

function keptStorage({ machine, replica }: KeptRows): MemoryStateStorage {
  const storage = new MemoryStateStorage()
  storage.batch(() => {
    for (const [key, value] of machine) storage.machine.put(key, value)
    for (const [key, value] of replica) storage.replica.put(key, value)
  })
  return storage
}
