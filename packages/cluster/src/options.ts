import { pathToFileURL } from 'node:url'
import { defaultRestartPolicy, type RestartPolicy, resolveRestartPolicy } from '@troupe/actor'
import {
  type Durability,
  invalidOption,
  type OverlayTopology,
  overlayTopologies,
  type RaftKnobs,
  resolveRaftKnobs,
} from '@troupe/core'
import {
  type ClientOptions,
  defaultSessionLimits,
  type GatewayOptions,
  resolveClientOptions,
  type SessionLimits,
} from '@troupe/machines/host'
import { defaultLogLimits, type LogLimits, resolveLogLimits } from '@troupe/store/log-limits'
import { defaultIds } from './identities.ts'
import { type Logger, silentLogger } from './logger.ts'
import { type RecordOption, resolveRecord } from './recording/record-option.ts'
import type { RecordingOptions } from './recording/recording-file.ts'

/** Batching at the leader. The names are those Kafka users know. */
export type BatchingOptions = Omit<GatewayOptions, 'group'>

export const defaultBatching: BatchingOptions = {
  lingerMs: 0,
  commitLingerMs: 5,
  maxBatchBytes: 1 << 20,
  maxBatchCommands: 65_536,
  maxWaitingBytes: 64 << 20,
  maxPendingReads: 65_536,
}

/** For all nodes to run, and one of them to lead. */
export const DEFAULT_START_TIMEOUT_MS = 30_000

/** Options of `Cluster.start`. All optional. */
export interface ClusterOptions {
  /**
   * How many nodes, 1 to 9, named n1, n2, …; or their names. For a directory that holds a cluster already: those that are
   * in it, or nothing. @default 3, or those in the directory
   */
  readonly nodes?: number | readonly string[]
  /** `kv`, `log`, `queue`, or the URL (or absolute path) of a module that exports `machine`. @default 'kv' */
  readonly machine?: string | URL
  /**
   * Handed to the machine on every node: plain values. `storage: 'disk'` has `kv` keep its state in LMDB instead of memory.
   * @default {}
   */
  readonly machineOptions?: Readonly<Record<string, unknown>>
  /** Where the nodes keep their logs. @default a temporary directory, removed by `stop` */
  readonly directory?: string
  /** @default 'flush-before-ack' */
  readonly durability?: Durability
  /** How large the segments of each node's log are, and when it counts as full. */
  readonly log?: Partial<LogLimits>
  /** Timeouts and pipelining. */
  readonly raft?: Partial<RaftKnobs>
  /** `raft.electionPriority` of single nodes, by name. */
  readonly priorities?: Readonly<Record<string, number>>
  /** How the leader makes entries of commands. */
  readonly batching?: Partial<BatchingOptions>
  /** What happens when a node's worker dies without being told to. */
  readonly restart?: Partial<RestartPolicy>
  /** Bounds of the client sessions that the cluster keeps, the same on all nodes. */
  readonly sessions?: Partial<SessionLimits>
  /**
   * Which nodes have a port to each other: all (`mesh`), or only neighbours in a `ring` or a layered `star` in the order of
   * `nodes`; then nodes pass on what is for others, and are trusted with it. For experiments: docs/topologies.md.
   * @default 'mesh'
   */
  readonly topology?: OverlayTopology
  /**
   * A node whose directory is gone has lost what it promised. True: it is removed and comes back as a new
   * member, by committed changes of the configuration. False: the start is refused. @default false
   */
  readonly replaceLost?: boolean
  /**
   * Whether faults can be injected: `cluster.inject`. The ports of each node are then decorated, which costs a little
   * also while there is no fault. @default false
   */
  readonly faults?: boolean
  /**
   * Where every node records its turns, so that they can be played again in the simulator: docs/replay.md. A file for each
   * start of a node; it holds everything that clients send. @default nothing is recorded, which costs nothing
   */
  readonly record?: RecordOption
  /** Longest wait for the first leader, in ms. @default 30,000 */
  readonly startTimeoutMs?: number
  /** @default silent */
  readonly logger?: Logger
  /** Seed of all random timeouts; drawn and logged where it is not given. */
  readonly seed?: number
}

/** Options of a client. */
export interface ClientSettings extends Partial<Omit<ClientOptions, 'group'>> {
  /** Deadline of each call that does not name its own, in ms. @default 10,000 */
  readonly timeoutMs?: number
}

export interface ResolvedClusterOptions {
  /** Undefined where the user leaves it to the directory. */
  readonly ids: readonly string[] | undefined
  readonly machine: string
  readonly machineOptions: Readonly<Record<string, unknown>>
  readonly directory: string | undefined
  readonly durability: Durability
  readonly log: LogLimits
  readonly raft: RaftKnobs
  readonly priorities: Readonly<Record<string, number>>
  readonly batching: BatchingOptions
  readonly restart: RestartPolicy
  readonly sessions: SessionLimits
  readonly topology: OverlayTopology
  readonly replaceLost: boolean
  readonly faults: boolean
  readonly record: RecordingOptions | undefined
  readonly startTimeoutMs: number
  readonly logger: Logger
  readonly seed: number
}

export interface ResolvedClientSettings {
  readonly client: ClientOptions
  readonly timeoutMs: number
}

const FIELDS: readonly (keyof ClusterOptions)[] = [
  'nodes',
  'machine',
  'machineOptions',
  'directory',
  'durability',
  'log',
  'raft',
  'priorities',
  'batching',
  'restart',
  'sessions',
  'topology',
  'replaceLost',
  'faults',
  'record',
  'startTimeoutMs',
  'logger',
  'seed',
]
const DURABILITIES: readonly Durability[] = ['flush-before-ack', 'acked-before-flush', 'memory']
const BUILT_IN_MACHINES = ['kv', 'log', 'queue']
const MAX_NODES = 9

/**
 * Checks every field and fills in the defaults.
 * @throws RaftError INVALID_OPTIONS naming the field, its value and what is expected
 */
export function resolveClusterOptions(given: ClusterOptions = {}): ResolvedClusterOptions {
  plainObject('options', given)
  for (const field of Object.keys(given)) {
    if (!(FIELDS as readonly string[]).includes(field)) {
      throw invalidOption(
        field,
        given[field as keyof ClusterOptions],
        `one of the options ${FIELDS.join(', ')}`,
      )
    }
  }
  const { durability = 'flush-before-ack', directory, machineOptions = {}, logger = silentLogger } = given
  const { replaceLost = false, faults = false, topology = 'mesh' } = given
  if (!overlayTopologies.includes(topology))
    throw invalidOption('topology', topology, overlayTopologies.join(', '))
  if (typeof replaceLost !== 'boolean') throw invalidOption('replaceLost', replaceLost, 'true or false')
  if (typeof faults !== 'boolean') throw invalidOption('faults', faults, 'true or false')
  if (!DURABILITIES.includes(durability))
    throw invalidOption('durability', durability, DURABILITIES.join(' or '))
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    throw invalidOption('directory', directory, 'a path')
  }
  plainObject('machineOptions', machineOptions)
  checkCrossesThreads(machineOptions)
  if (typeof logger !== 'function') throw invalidOption('logger', logger, 'a function')
  return Object.freeze({
    ids: given.nodes === undefined ? undefined : resolveIds(given.nodes),
    machine: resolveMachine(given.machine ?? 'kv'),
    machineOptions,
    directory,
    durability,
    log: resolveLog(given.log),
    raft: resolveRaft(given.raft),
    priorities: resolvePriorities(given.priorities),
    batching: resolveBatching(given.batching),
    restart: resolveRestart(given.restart),
    sessions: resolveSessions(given.sessions),
    topology,
    replaceLost,
    faults,
    record: resolveRecord(given.record),
    startTimeoutMs: positive('startTimeoutMs', given.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS),
    logger,
    seed: resolveSeed(given.seed),
  })
}

/** @throws RaftError INVALID_OPTIONS */
export function resolveIds(nodes: number | readonly string[]): readonly string[] {
  if (typeof nodes === 'number') {
    if (!Number.isSafeInteger(nodes) || nodes < 1 || nodes > MAX_NODES) {
      throw invalidOption('nodes', nodes, `an integer from 1 to ${MAX_NODES}, or a list of names`)
    }
    return defaultIds(nodes)
  }
  if (!Array.isArray(nodes) || nodes.length < 1 || nodes.length > MAX_NODES) {
    throw invalidOption('nodes', nodes, `1 to ${MAX_NODES} names, or a number`)
  }
  nodes.forEach((name: unknown, index) => {
    checkNodeName(`nodes[${index}]`, name)
    if (nodes.indexOf(name) !== index)
      throw invalidOption(`nodes[${index}]`, name, 'a name no other node has')
  })
  return [...nodes]
}

/** @throws RaftError INVALID_OPTIONS */
export function checkNodeName(field: string, name: unknown): asserts name is string {
  if (typeof name === 'string' && /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(name)) return
  throw invalidOption(field, name, 'a name of letters, digits, - and _, at most 63 characters')
}

/** @throws RaftError INVALID_OPTIONS */
function resolveSessions(given: Partial<SessionLimits> = {}): SessionLimits {
  plainObject('sessions', given)
  const present = Object.entries(given).filter(([, value]) => value !== undefined)
  for (const [field, value] of present) {
    if (!Object.hasOwn(defaultSessionLimits, field)) {
      const known = Object.keys(defaultSessionLimits).join(', ')
      throw invalidOption(`sessions.${field}`, value, `one of the options ${known}`)
    }
    if (field === 'sessionTtlMs') notNegative('sessions.sessionTtlMs', value)
    else positiveInteger(`sessions.${field}`, value)
  }
  return Object.freeze({ ...defaultSessionLimits, ...Object.fromEntries(present) })
}

/** @throws RaftError INVALID_OPTIONS */
export function resolveMachine(machine: string | URL): string {
  if (machine instanceof URL) return machine.href
  if (BUILT_IN_MACHINES.includes(machine)) return machine
  if (typeof machine === 'string' && machine.startsWith('/')) return pathToFileURL(machine).href
  if (typeof machine === 'string' && URL.canParse(machine)) return machine
  throw invalidOption('machine', machine, `${BUILT_IN_MACHINES.join(', ')}, or the URL of a module`)
}

/** @throws RaftError INVALID_OPTIONS */
function resolveLog(given: Partial<LogLimits> = {}): LogLimits {
  plainObject('log', given)
  for (const [field, value] of Object.entries(given)) {
    if (Object.hasOwn(defaultLogLimits, field)) continue
    throw invalidOption(
      `log.${field}`,
      value,
      `one of the options ${Object.keys(defaultLogLimits).join(', ')}`,
    )
  }
  return resolveLogLimits(given)
}

/** @throws RaftError INVALID_OPTIONS */
function resolveRaft(given: Partial<RaftKnobs> = {}): RaftKnobs {
  plainObject('raft', given)
  return resolveRaftKnobs(given)
}

/** @throws RaftError INVALID_OPTIONS */
function resolvePriorities(given: Readonly<Record<string, number>> = {}): Readonly<Record<string, number>> {
  plainObject('priorities', given)
  for (const [node, electionPriority] of Object.entries(given)) {
    checkNodeName('priorities', node)
    try {
      resolveRaftKnobs({ electionPriority })
    } catch {
      throw invalidOption(`priorities.${node}`, electionPriority, 'a number from 0 to 100')
    }
  }
  return Object.freeze({ ...given })
}

/** @throws RaftError INVALID_OPTIONS */
function resolveRestart(given: Partial<RestartPolicy> = {}): RestartPolicy {
  plainObject('restart', given)
  const present = Object.entries(given).filter(([, value]) => value !== undefined)
  for (const [field, value] of present) {
    if (!(field in defaultRestartPolicy)) {
      const known = Object.keys(defaultRestartPolicy).join(', ')
      throw invalidOption(`restart.${field}`, value, `one of the options ${known}`)
    }
  }
  return resolveRestartPolicy(Object.fromEntries(present))
}

/** @throws RaftError INVALID_OPTIONS */
function resolveBatching(given: Partial<BatchingOptions> = {}): BatchingOptions {
  plainObject('batching', given)
  const present = Object.entries(given).filter(([, value]) => value !== undefined)
  for (const [field, value] of present) {
    if (!Object.hasOwn(defaultBatching, field)) {
      const known = Object.keys(defaultBatching).join(', ')
      throw invalidOption(`batching.${field}`, value, `one of the options ${known}`)
    }
    if (field === 'lingerMs' || field === 'commitLingerMs') notNegative(`batching.${field}`, value)
    else positiveInteger(`batching.${field}`, value)
  }
  return Object.freeze({ ...defaultBatching, ...Object.fromEntries(present) })
}

function resolveSeed(seed: number | undefined): number {
  if (seed === undefined) return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER)
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalidOption('seed', seed, 'an integer of at least 0')
  return seed
}

/** @throws RaftError INVALID_OPTIONS */
export function resolveClientSettings(group: number, given: ClientSettings = {}): ResolvedClientSettings {
  plainObject('settings', given)
  const { timeoutMs = 10_000, ...client } = given
  return { client: resolveClientOptions(group, client), timeoutMs: positive('timeoutMs', timeoutMs) }
}

/** @throws RaftError INVALID_OPTIONS */
export function positive(field: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw invalidOption(field, value, 'a positive number')
  }
  return value
}

/** Not for checking types, but for telling a slip from an object that has just nothing in it. */
function plainObject(field: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidOption(field, value, 'an object')
  }
}

/** The options of the machine go to each node's worker: what cannot go there is found out before anything starts. */
function checkCrossesThreads(machineOptions: Readonly<Record<string, unknown>>): void {
  for (const [field, value] of Object.entries(machineOptions)) {
    try {
      structuredClone(value)
    } catch {
      throw invalidOption(`machineOptions.${field}`, value, 'a value that can be cloned into another thread')
    }
  }
}

function notNegative(field: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw invalidOption(field, value, 'a number that is not negative')
  }
}

function positiveInteger(field: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    throw invalidOption(field, value, 'a positive integer')
}
