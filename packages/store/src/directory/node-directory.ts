/**
 * A node's data directory:
 *
 *     identity.json   who the node is; written once, when the directory is created
 *     log/<group>/    the log: its segments, and their witness
 *     log.made        written once, when log/ has been made: without it a log may be missing, with it it is lost
 *     snapshots/<group>/  the snapshots, a file each
 *     machine/<group>/    the state of a machine that keeps it on the disk
 *     lock.db         locked while the directory is open
 *     lock.pid        who has it open, for error messages
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import {
  type Configuration,
  checkConfiguration,
  EMPTY_CONFIGURATION,
  type GroupId,
  invalidOption,
  type NodeId,
  RaftError,
} from '@troupe/core'
import { makeDirectory, syncPath, writeFileAtomic } from '../sync-files.ts'
import { lockDirectory } from './directory-lock.ts'

/** Version of the layout of directories and of the records in them: written, and the only one read. */
export const DIRECTORY_FORMAT = 3

const IDENTITY_FILE = 'identity.json'
const LOG_MADE_FILE = 'log.made'
const LOG = 'log'
const SNAPSHOTS = 'snapshots'

/** What a new directory is created with. */
export interface NewDirectoryIdentity {
  readonly clusterId: string
  readonly nodeId: NodeId
  /** Drawn at random by the caller, once for each directory. */
  readonly incarnation: number
  /** @default 0 */
  readonly group?: GroupId | undefined
  /**
   * What the group starts with, the same on all of its first nodes. Left out for a node that joins: it waits for a
   * leader to bring it one.
   */
  readonly configuration?: Configuration | undefined
}

/** Who a directory belongs to, as its identity.json says. */
export interface DirectoryIdentity extends NewDirectoryIdentity {
  readonly group: GroupId
  /** Without members in a node that joins. */
  readonly configuration: Configuration
  /** When the directory was created, ISO 8601. For people: nothing is decided by it. */
  readonly created: string
}

/** What the opener expects to find. What is undefined is not compared. */
export interface ExpectedIdentity {
  readonly clusterId: string
  readonly nodeId: NodeId
  readonly incarnation?: number | undefined
  readonly group?: GroupId | undefined
}

/** An open, locked data directory. */
export interface NodeDirectory {
  readonly path: string
  readonly identity: DirectoryIdentity
  /** Where the logs of the node's groups belong. */
  readonly logPath: string
  /** Where the snapshots belong. */
  readonly snapshotPath: string
  /** The log has been made at `logPath`: from now on the directory is refused without it. */
  logMade(): void
  /**
   * Releases the lock. Close the stores inside first. Idempotent; the death of the thread or process does it
   * too.
   */
  close(): void
}

function refused(path: string, reason: string, cause?: unknown): RaftError<'INVALID_DIRECTORY'> {
  return new RaftError('INVALID_DIRECTORY', `data directory ${path}: ${reason}`, { path, reason }, { cause })
}

/**
 * Creates a data directory, or makes one of an existing directory that has no identity, log or snapshots. The
 * identity is on the disk when this returns. The directory is not left open.
 * @throws RaftError INVALID_DIRECTORY where it has one of these, is in use, or cannot be written;
 *   INVALID_OPTIONS
 */
export function createNodeDirectory(path: string, identity: NewDirectoryIdentity): DirectoryIdentity {
  const whole: DirectoryIdentity = { ...checkIdentity(identity), created: new Date().toISOString() }
  const directory = resolve(path)
  makeUsable(directory)
  const lock = lockDirectory(directory)
  try {
    for (const name of [IDENTITY_FILE, LOG, SNAPSHOTS]) {
      if (existsSync(join(directory, name))) throw refused(directory, `it already holds a node (${name})`)
    }
    const text = JSON.stringify({ format: DIRECTORY_FORMAT, ...whole }, undefined, 2)
    writeFileAtomic(join(directory, IDENTITY_FILE), `${text}\n`)
    syncPath(dirname(directory))
    return whole
  } finally {
    lock.release()
  }
}

/**
 * Opens and locks a node's data directory.
 * @throws RaftError INVALID_DIRECTORY where it is missing, not a directory, not writable, without a readable
 *   identity, of another format, of another cluster, node, group or incarnation, in use, or robbed of its log
 */
export function openNodeDirectory(path: string, expected: ExpectedIdentity): NodeDirectory {
  const directory = resolve(path)
  checkUsable(directory)
  const identity = readNodeIdentity(directory)
  checkExpected(directory, identity, expected)
  const lock = lockDirectory(directory)
  const logPath = join(directory, LOG)
  const snapshotPath = join(directory, SNAPSHOTS)
  const mark = join(directory, LOG_MADE_FILE)
  const isMade = existsSync(mark)
  if (isMade && !existsSync(join(logPath, String(identity.group)))) {
    lock.release()
    throw refused(directory, 'its log is gone: the node has lost what it promised to its peers')
  }
  const logMade = (): void => {
    if (!isMade) writeFileAtomic(mark, '')
  }
  return { path: directory, identity, logPath, snapshotPath, logMade, close: lock.release }
}

function makeUsable(path: string): void {
  try {
    makeDirectory(path)
  } catch (error) {
    throw refused(path, `cannot be created: ${(error as Error).message}`, error)
  }
  checkUsable(path)
}

function checkUsable(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw refused(path, 'it does not exist')
  if (!found.isDirectory()) throw refused(path, 'it is not a directory')
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw refused(path, 'it is not writable', error)
  }
}

/** The identity, complete and without what does not belong to it. @throws RaftError INVALID_OPTIONS */
function checkIdentity(identity: NewDirectoryIdentity): Omit<DirectoryIdentity, 'created'> {
  const { clusterId, nodeId, incarnation, group = 0, configuration = EMPTY_CONFIGURATION } = identity
  for (const [field, value] of Object.entries({ clusterId, nodeId })) {
    if (typeof value !== 'string' || value === '') throw invalidOption(field, value, 'a name')
  }
  for (const [field, value] of Object.entries({ incarnation, group })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw invalidOption(field, value, 'an integer of at least 0')
  }
  return { clusterId, nodeId, group, incarnation, configuration: checked(configuration) }
}

function checked(configuration: Configuration): Configuration {
  let found: Configuration | undefined
  try {
    found = checkConfiguration(configuration)
  } catch {
    // A member that is no object.
  }
  if (found === undefined) throw invalidOption('configuration', configuration, 'voters and learners')
  return found
}

/**
 * Whose data directory `path` is. Reads only, and needs no lock.
 * @throws RaftError INVALID_DIRECTORY where it has no identity.json, or none that can be read
 */
export function readNodeIdentity(path: string): DirectoryIdentity {
  const file = join(path, IDENTITY_FILE)
  if (!existsSync(file)) throw refused(path, `it has no ${IDENTITY_FILE}: it is not a node's data directory`)
  const found = parse(path, file)
  if (typeof found.format !== 'number') throw refused(path, `${IDENTITY_FILE} names no format`)
  if (found.format !== DIRECTORY_FORMAT) {
    const advice = found.format > DIRECTORY_FORMAT ? 'upgrade Troupe' : 'it was made by an older Troupe'
    throw refused(path, `it has format ${found.format}, this version reads ${DIRECTORY_FORMAT}: ${advice}`)
  }
  try {
    return { ...checkIdentity(found), created: String(found.created) }
  } catch (error) {
    throw refused(path, `${IDENTITY_FILE} is damaged: ${(error as Error).message}`, error)
  }
}

function parse(path: string, file: string): DirectoryIdentity & { format?: unknown } {
  try {
    const found: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof found !== 'object' || found === null) throw new Error('it holds no object')
    return found as DirectoryIdentity
  } catch (error) {
    throw refused(path, `${IDENTITY_FILE} is not readable: ${(error as Error).message}`, error)
  }
}

function checkExpected(path: string, found: DirectoryIdentity, expected: ExpectedIdentity): void {
  const compare = (what: string, is: unknown, wanted: unknown): void => {
    if (wanted === undefined || is === wanted) return
    throw refused(path, `it belongs to ${what} ${JSON.stringify(is)}, expected ${JSON.stringify(wanted)}`)
  }
  compare('cluster', found.clusterId, expected.clusterId)
  compare('group', found.group, expected.group)
  compare('node', found.nodeId, expected.nodeId)
  compare('incarnation', found.incarnation, expected.incarnation)
}
