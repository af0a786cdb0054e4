/**
 * The state of a machine on the disk, in LMDB: the port of core/state-storage.ts.
 *
 *     <path>/current              which environment is the present one
 *     <path>/<number>/data.mdb    an environment: the present one, or one that is being loaded
 *     <path>/unsynced-<group>     the boot id of the machine, for as long as something is not flushed
 *
 * Nothing is flushed before the end: a commit costs what it costs in memory. After the death of the process everything
 * committed is there, since the page cache keeps it. After a power loss anything may be (LMDB may be inconsistent in a
 * way that it cannot see), so what was not closed under this very boot id is given up, and so is what is another's, of
 * another format, or visibly no LMDB file. Then the state is empty, and is built again from the last snapshot and the log.
 * A file is not read as a whole before it is opened: for states of gigabytes that takes longer than all the rest.
 *
 * Numbers are never used twice while a directory exists, and directories are not renamed: lmdb tells the environments of
 * a process apart by their paths.
 */
import { existsSync, promises, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  type GroupId,
  invariant,
  type MachineStorage,
  type NodeId,
  RaftError,
  type StateDraft,
  type StateStorage,
} from '@troupe/core'
import { storageFailed } from '../storage-errors.ts'
import { makeDirectory } from '../sync-files.ts'
import { isUnsyncedSinceBoot, markUnsynced, unmarkUnsynced } from '../unsynced-mark.ts'
import { StateEnvironment } from './lmdb-state-environment.ts'
import { LmdbStateSpace } from './lmdb-state-space.ts'

const FORMAT = 1
const CURRENT_FILE = 'current'

/** Whose state it is: another's is not used. */
export interface StateIdentity {
  readonly clusterId: string
  readonly nodeId: NodeId
  readonly incarnation: number
  readonly group: GroupId
  /** The name of the state machine. */
  readonly machine: string
}

export interface LmdbMachineStorageOptions {
  /** A directory of its own, for this group; made where it is missing. */
  readonly path: string
  readonly identity: StateIdentity
}

/** A state on the disk that is open. */
export interface LmdbMachineStorage extends StateStorage {
  /** Why what was found had to be given up when it was opened; undefined where it was not, or nothing was there. */
  readonly givenUp: string | undefined
  /** Flushes, so that the state can be used after a restart of the computer too. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens the state at `path`, or begins one.
 * @throws RaftError STORAGE_FAILED
 */
export function openLmdbMachineStorage({ path, identity }: LmdbMachineStorageOptions): LmdbMachineStorage {
  const { clusterId, nodeId, incarnation, group, machine } = identity
  const text = JSON.stringify({ format: FORMAT, clusterId, nodeId, incarnation, group, machine })
  const directory = resolve(path)
  try {
    makeDirectory(directory)
    return new Storage(directory, group, text)
  } catch (error) {
    throw error instanceof RaftError ? error : storageFailed(directory, error)
  }
}

class Storage implements LmdbMachineStorage {
  readonly givenUp: string | undefined
  readonly machine: LmdbStateSpace
  readonly replica: LmdbStateSpace
  readonly #path: string
  readonly #group: GroupId
  readonly #identity: string
  #current: StateEnvironment
  #draft: Draft | undefined
  #lastNumber: number
  /** Environments that are being closed and removed. */
  readonly #leaving = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  constructor(path: string, group: GroupId, identity: string) {
    this.#path = path
    this.#group = group
    this.#identity = identity
    const numbers = numbersIn(path)
    this.#lastNumber = Math.max(0, ...numbers)
    const found = isUnsyncedSinceBoot(path) ? UNSYNCED : this.#find()
    markUnsynced(path, group)
    if (typeof found !== 'object') this.givenUp = numbers.length === 0 ? undefined : found
    this.#current = typeof found === 'object' ? found : this.#create()
    this.#point(this.#current)
    for (const number of numbers) this.#removeUnlessCurrent(this.#pathOf(number))
    const host = hostOf(() => this.#current)
    this.machine = new LmdbStateSpace(this.#current.databases.machine, host)
    this.replica = new LmdbStateSpace(this.#current.databases.replica, host)
  }

  /** The present environment, or why there is none. */
  #find(): StateEnvironment | string {
    const number = currentIn(this.#path)
    if (number === undefined) return 'nothing says which state is the present one'
    try {
      return StateEnvironment.find(this.#pathOf(number), this.#identity)
    } catch (error) {
      if (RaftError.is(error, 'STORAGE_DAMAGED')) return error.data.reason
      throw error
    }
  }

  #create(): StateEnvironment {
    return StateEnvironment.create(this.#pathOf(++this.#lastNumber), this.#identity)
  }

  #pathOf(number: number): string {
    return join(this.#path, `${number}`)
  }

  /** A death before the rename leaves the other one. */
  #point({ path }: StateEnvironment): void {
    const file = join(this.#path, CURRENT_FILE)
    writeFileSync(`${file}.tmp`, path.slice(this.#path.length + 1))
    renameSync(`${file}.tmp`, file)
  }

  batch(run: () => void): void {
    this.#current.batch(run)
  }

  beginDraft(): StateDraft {
    this.#draft?.abandon()
    this.#draft = new Draft(this.#create(), {
      adopt: (environment) => this.#replaceBy(environment),
      abandon: (environment) => this.#leave(environment),
    })
    return this.#draft
  }

  discard(): void {
    this.#draft?.abandon()
    this.#replaceBy(this.#create())
  }

  #replaceBy(environment: StateEnvironment): void {
    const before = this.#current
    this.#point(environment)
    this.#current = environment
    this.machine.replace(environment.databases.machine)
    this.replica.replace(environment.databases.replica)
    this.#draft = undefined
    this.#leave(before)
  }

  #leave(environment: StateEnvironment): void {
    this.#remember(environment.close().then(() => this.#remove(environment.path)))
  }

  #removeUnlessCurrent(path: string): void {
    if (path !== this.#current.path) this.#remember(this.#remove(path))
  }

  #remove(path: string): Promise<void> {
    return promises.rm(path, { recursive: true, force: true })
  }

  /** What is not removed now is removed when this is opened again. */
  #remember(leaving: Promise<void>): void {
    const done = leaving.catch(() => {}).then(() => void this.#leaving.delete(done))
    this.#leaving.add(done)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#draft?.abandon()
    const { path } = this.#current
    await this.#current.close()
    await Promise.all(this.#leaving)
    for (const each of [join(path, 'data.mdb'), path, this.#path]) await sync(each)
    unmarkUnsynced(this.#path, this.#group)
  }
}

const UNSYNCED = 'the computer was restarted while it was not flushed'

/** The environment that is the present one at that time. */
const hostOf = (current: () => StateEnvironment): ConstructorParameters<typeof LmdbStateSpace>[1] => ({
  get isInBatch() {
    return current().isInBatch
  },
  opened: (view) => current().opened(view),
  closed: (view) => current().closed(view),
})

interface DraftHost {
  adopt(environment: StateEnvironment): void
  abandon(environment: StateEnvironment): void
}

class Draft implements StateDraft {
  readonly #environment: StateEnvironment
  readonly #host: DraftHost
  #isOver = false

  constructor(environment: StateEnvironment, host: DraftHost) {
    this.#environment = environment
    this.#host = host
  }

  get machine(): MachineStorage {
    return this.#environment.machine
  }
  get replica(): MachineStorage {
    return this.#environment.replica
  }

  batch(run: () => void): void {
    this.#environment.batch(run)
  }

  adopt(): void {
    invariant(!this.#isOver, 'a draft that was given up')
    this.#isOver = true
    this.#host.adopt(this.#environment)
  }

  abandon(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#host.abandon(this.#environment)
  }
}

function numbersIn(path: string): number[] {
  return readdirSync(path).flatMap((name) => (/^[1-9]\d{0,14}$/.test(name) ? [Number(name)] : []))
}

function currentIn(path: string): number | undefined {
  const file = join(path, CURRENT_FILE)
  const number = existsSync(file) ? Number(readFileSync(file, 'utf8')) : Number.NaN
  return Number.isSafeInteger(number) && number > 0 ? number : undefined
}

async function sync(path: string): Promise<void> {
  const file = await promises.open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
