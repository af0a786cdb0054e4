/**
 * Where logs are: what a user may point at, and what is known of a node without its log.
 *
 *     DIR/cluster.json, DIR/<node>/identity.json    a cluster
 *     DIR/identity.json, DIR/log/<group>            a node
 *     DIR/<group>/<segments>, DIR/<group>/witness   a node's log/
 *     DIR/<segments>, DIR/witness                   a group's log
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { invalidOption, RaftError } from '@troupe/core'
import { DIRECTORY_FORMAT, type DirectoryIdentity, readNodeIdentity, WITNESS_FILE } from '@troupe/store'

/** The log of one group on one node. */
export interface LogPlace {
  /** The directory of its segments. */
  readonly path: string
  readonly group: number
  /** Undefined where it does not stand in a node's directory. */
  readonly node: NodePlace | undefined
}

export interface NodePlace {
  readonly path: string
  readonly identity: DirectoryIdentity | undefined
  /** Why there is no identity. */
  readonly problem: string | undefined
}

const IDENTITY_FILE = 'identity.json'
const MANIFEST_FILE = 'cluster.json'
const LOG_MADE_FILE = 'log.made'
const EXPECTED =
  "a node's directory (with identity.json or log/), a cluster's (with cluster.json), or a group's log (with a witness or segments)"

/**
 * All logs at or below `directory`; of a node that has not begun one yet, where it will be.
 * @throws RaftError INVALID_OPTIONS where there is none; INVALID_DIRECTORY where it is of another format
 */
export function logPlaces(directory: string): readonly LogPlace[] {
  const path = resolve(directory)
  if (!isDirectory(path)) throw invalidOption('DIR', directory, EXPECTED)
  const places = placesAt(path)
  if (places.length === 0) throw invalidOption('DIR', directory, EXPECTED)
  return places
}

function placesAt(path: string): readonly LogPlace[] {
  if (isLog(path)) return [{ path, group: Number(basename(path)) || 0, node: nodeAbove(path) }]
  if (isNode(path)) return logsOf(path)
  const nodes = foldersIn(path).filter(isNode)
  if (nodes.length > 0 || existsSync(join(path, MANIFEST_FILE))) return nodes.flatMap(logsOf)
  return groupsIn(path)
    .filter(isLog)
    .map((log) => ({ path: log, group: Number(basename(log)), node: nodeAbove(log) }))
}

const isDirectory = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

const foldersIn = (path: string): string[] =>
  readdirSync(path)
    .sort()
    .map((name) => join(path, name))
    .filter(isDirectory)

const groupsIn = (path: string): string[] =>
  foldersIn(path).filter((each) => /^\d{1,11}$/.test(basename(each)))

const isLog = (path: string): boolean =>
  existsSync(join(path, WITNESS_FILE)) || foldersIn(path).some((each) => /^\d{12}$/.test(basename(each)))

const isNode = (path: string): boolean =>
  existsSync(join(path, IDENTITY_FILE)) ||
  (isDirectory(join(path, 'log')) && groupsIn(join(path, 'log')).some(isLog))

function logsOf(path: string): LogPlace[] {
  const node = nodeAt(path)
  const log = join(path, 'log')
  const found = isDirectory(log) ? groupsIn(log) : []
  const expected = join(log, String(node.identity?.group ?? 0))
  const logs = found.includes(expected) || node.identity === undefined ? found : [...found, expected]
  return logs.map((each) => ({ path: each, group: Number(basename(each)), node }))
}

function nodeAbove(log: string): NodePlace | undefined {
  const path = dirname(dirname(log))
  return basename(dirname(log)) === 'log' && existsSync(join(path, IDENTITY_FILE)) ? nodeAt(path) : undefined
}

/** @throws RaftError INVALID_DIRECTORY where it is of another format */
function nodeAt(path: string): NodePlace {
  if (!existsSync(join(path, IDENTITY_FILE)))
    return { path, identity: undefined, problem: `${IDENTITY_FILE} is missing` }
  try {
    return { path, identity: readNodeIdentity(path), problem: undefined }
  } catch (error) {
    if (!RaftError.is(error, 'INVALID_DIRECTORY') || isOtherFormat(path)) throw error
    return { path, identity: undefined, problem: error.data.reason }
  }
}

function isOtherFormat(path: string): boolean {
  try {
    const { format } = JSON.parse(readFileSync(join(path, IDENTITY_FILE), 'utf8')) as { format?: unknown }
    return typeof format === 'number' && format !== DIRECTORY_FORMAT
  } catch {
    return false
  }
}

/** Whether a log was there once: then it must not be missing. */
export const wasMade = ({ node }: LogPlace): boolean =>
  node !== undefined && existsSync(join(node.path, LOG_MADE_FILE))

/** The process that has the node open, as far as can be told: its pid stands there after a crash too. */
export function holderOf({ node }: LogPlace): number | undefined {
  const pid = node && pidIn(join(node.path, 'lock.pid'))
  if (pid === undefined || !isAlive(pid)) return undefined
  return holdsLock(pid, join(node?.path ?? '', 'lock.db')) ? pid : undefined
}

function pidIn(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
    return pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Linux tells who holds a lock on a file; elsewhere a process that lives is taken for one that does. */
function holdsLock(pid: number, file: string): boolean {
  try {
    const { ino } = statSync(file)
    const locks = readFileSync('/proc/locks', 'utf8').split('\n')
    return locks.some((line) => line.includes(` ${pid} `) && line.includes(`:${ino} `))
  } catch {
    return true
  }
}
