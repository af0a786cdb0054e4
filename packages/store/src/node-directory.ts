/**
 * A node's data directory:
 *
 *     identity.json   who the node is; written once, when the directory is created
 *     log/            the LMDB environment of log and hard state
 *     log.made        written once, when log/ has been made: without it a log may be missing, with it it is lost
 *     lock.db         locked while the directory is open
 *     lock.pid        who has it open, for error messages
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Configuration, type GroupId, invalidOption, type NodeId, RaftError } from '@troupe/core'
import { lockDirectory } from './directory-lock.ts'
import { makeDirectory, syncPath, writeFileAtomic } from './sync-files.ts'

/** Version of the directory's layout that this code writes, and the newest it reads. */
export const DIRECTORY_FORMAT = 1

const IDENTITY_FILE = 'identity.json'
const LOG_MADE_FILE = 'log.made'

/** What a new directory is created with. */
export interface NewDirectoryIdentity {
  readonly clusterId: string
  readonly nodeId: NodeId
  /** Drawn at random by the caller, once for each directory. */
  readonly incarnation: number
  /** @default 0 */
  readonly group?: GroupId | undefined
  /** The voters that the group starts with; the same on all of its nodes. */
  readonly configuration: Configuration
}

/** Who a directory belongs to, as its identity.json says. */
export interface DirectoryIdentity extends NewDirectoryIdentity {
  readonly group: GroupId
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
  /** Where the node's LMDB environment belongs. */
  readonly logPath: string
  /** The LMDB environment has been made at `logPath`: from now on the directory is refused without it. */
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
 * Creates a data directory, or makes one of an existing directory that has no identity and no log. The
 * identity is on the disk when this returns. The directory is not left open.
 * @throws RaftError INVALID_DIRECTORY where it has an identity or a log, is in use, or cannot be written;
 *   INVALID_OPTIONS
 */
export function createNodeDirectory(path: string, identity: NewDirectoryIdentity): DirectoryIdentity {
  checkIdentity(identity)
  const directory = resolve(path)
  makeUsable(directory)
  const lock = lockDirectory(directory)
  try {
    for (const name of [IDENTITY_FILE, 'log']) {
      if (existsSync(join(directory, name))) throw refused(directory, `it already holds a node (${name})`)
    }
    const { clusterId, nodeId, incarnation, group = 0, configuration } = identity
    const created = new Date().toISOString()
    const whole: DirectoryIdentity = { clusterId, nodeId, group, incarnation, created, configuration }
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
 *   identity, of a newer format, of another cluster, node, group or incarnation, in use, or robbed of its log
 */
export function openNodeDirectory(path: string, expected: ExpectedIdentity): NodeDirectory {
  const directory = resolve(path)
  checkUsable(directory)
  const identity = readIdentity(directory)
  checkExpected(directory, identity, expected)
  const lock = lockDirectory(directory)
  const logPath = join(directory, 'log')
  const mark = join(directory, LOG_MADE_FILE)
  const isMade = existsSync(mark)
  if (isMade && !existsSync(join(logPath, 'data.mdb'))) {
    lock.release()
    throw refused(directory, 'its log is gone: the node has lost what it promised to its peers')
  }
  const logMade = (): void => {
    if (!isMade) writeFileAtomic(mark, '')
  }
  return { path: directory, identity, logPath, logMade, close: lock.release }
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

function checkIdentity(identity: NewDirectoryIdentity): void {
  const { clusterId, nodeId, incarnation, group = 0, configuration } = identity
  for (const [field, value] of Object.entries({ clusterId, nodeId })) {
    if (typeof value !== 'string' || value === '') throw invalidOption(field, value, 'a name')
  }
  for (const [field, value] of Object.entries({ incarnation, group })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw invalidOption(field, value, 'an integer of at least 0')
  }
  if (!Array.isArray(configuration?.voters))
    throw invalidOption('configuration', configuration, 'a list of voters')
}

function readIdentity(path: string): DirectoryIdentity {
  const file = join(path, IDENTITY_FILE)
  if (!existsSync(file)) throw refused(path, `it has no ${IDENTITY_FILE}: it is not a node's data directory`)
  const found = parse(path, file)
  if (typeof found.format !== 'number') throw refused(path, `${IDENTITY_FILE} names no format`)
  if (found.format > DIRECTORY_FORMAT) {
    throw refused(
      path,
      `it has format ${found.format}, this version reads ${DIRECTORY_FORMAT}: upgrade Troupe`,
    )
  }
  const { format: _, ...identity } = found
  try {
    checkIdentity(identity)
  } catch (error) {
    throw refused(path, `${IDENTITY_FILE} is damaged: ${(error as Error).message}`, error)
  }
  return identity
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
