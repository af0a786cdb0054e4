/**
 * The port of core/state-storage.ts in memory, as simple as it can be: what implementations are compared with, and what
 * tests and the simulator run machines on. Its committed state is what survives a crash: make another
 * {@link MemoryStateStorage} of it.
 */
import {
  invariant,
  type MachineStorage,
  type StateDraft,
  type StateSpaces,
  type StateStorage,
  type StorageEntry,
  type StorageRange,
  type StorageView,
} from '@troupe/core'

/** As of LMDB with pages of 4 KiB. */
const MAX_KEY_BYTES = 1978

type Content = ReadonlyMap<string, StorageEntry>

/** A key as a string whose order is that of the bytes. */
const nameOf = (key: Uint8Array): string => {
  let name = ''
  for (const byte of key) name += String.fromCharCode(byte)
  return name
}

class MemoryView implements StorageView {
  protected content: Content
  #isOpen = true

  constructor(content: Content) {
    this.content = content
  }

  get count(): number {
    return this.content.size
  }

  get(key: Uint8Array): Uint8Array | undefined {
    invariant(this.#isOpen, 'a read of a view that is closed')
    return this.content.get(nameOf(key))?.[1].slice()
  }

  *entries({ from, after, to, reverse, limit }: StorageRange = {}): Iterable<StorageEntry> {
    invariant(this.#isOpen, 'a read of a view that is closed')
    const start = after === undefined && from !== undefined ? nameOf(from) : undefined
    const behind = after && nameOf(after)
    const end = to && nameOf(to)
    const names = [...this.content.keys()].sort((left, right) => (left < right ? -1 : 1))
    if (reverse === true) names.reverse()
    let left = limit ?? Number.POSITIVE_INFINITY
    for (const name of names) {
      if (start !== undefined && name < start) continue
      if (behind !== undefined && name <= behind) continue
      if (end !== undefined && name >= end) continue
      if (left-- <= 0) return
      const [key, value] = this.content.get(name) as StorageEntry
      yield [key.slice(), value.slice()]
    }
  }

  close(): void {
    this.#isOpen = false
  }
}

/** One ordered map. Copied as a whole before it is changed while somebody else may see it. */
class MemorySpace extends MemoryView implements MachineStorage {
  readonly maxKeyBytes = MAX_KEY_BYTES
  readonly #mayWrite: () => boolean

  constructor(content: Content, mayWrite: () => boolean) {
    super(content)
    this.#mayWrite = mayWrite
  }

  put(key: Uint8Array, value: Uint8Array): void {
    invariant(key.byteLength > 0 && key.byteLength <= MAX_KEY_BYTES, `a key of ${key.byteLength} bytes`)
    // Not slice(): that of a Buffer is a view.
    this.#write().set(nameOf(key), [new Uint8Array(key), new Uint8Array(value)])
  }

  remove(key: Uint8Array): boolean {
    return this.#write().delete(nameOf(key))
  }

  clear(): void {
    this.#write().clear()
  }

  view(): StorageView {
    invariant(!this.#mayWrite(), 'a view is taken between batches')
    return new MemoryView(new Map(this.content))
  }

  /** What is in it: to be kept, and to be put back. */
  get current(): Content {
    return new Map(this.content)
  }

  replace(content: Content): void {
    this.content = content
  }

  #write(): Map<string, StorageEntry> {
    invariant(this.#mayWrite(), 'a write outside of a batch')
    return this.content as Map<string, StorageEntry>
  }
}

/** What a {@link MemoryStateStorage} has committed. */
export interface MemoryState {
  readonly machine: Content
  readonly replica: Content
}

const EMPTY: MemoryState = { machine: new Map(), replica: new Map() }

class MemorySpaces implements StateSpaces {
  readonly machine: MemorySpace
  readonly replica: MemorySpace
  #isInBatch = false

  constructor({ machine, replica }: MemoryState) {
    const mayWrite = (): boolean => this.#isInBatch
    this.machine = new MemorySpace(new Map(machine), mayWrite)
    this.replica = new MemorySpace(new Map(replica), mayWrite)
  }

  get current(): MemoryState {
    return { machine: this.machine.current, replica: this.replica.current }
  }

  replace({ machine, replica }: MemoryState): void {
    this.machine.replace(machine)
    this.replica.replace(replica)
  }

  batch(run: () => void): void {
    invariant(!this.#isInBatch, 'a batch within a batch')
    const before = this.current
    this.#isInBatch = true
    try {
      run()
    } catch (error) {
      this.replace(before)
      throw error
    } finally {
      this.#isInBatch = false
    }
  }
}

class MemoryDraft extends MemorySpaces implements StateDraft {
  readonly #adopt: (draft: MemoryDraft) => void
  #isOver = false

  constructor(adopt: (draft: MemoryDraft) => void) {
    super(EMPTY)
    this.#adopt = adopt
  }

  adopt(): void {
    invariant(!this.#isOver, 'a draft that was given up')
    this.#isOver = true
    this.#adopt(this)
  }

  abandon(): void {
    this.#isOver = true
  }
}

/** A state in memory. Batches cost as much as there is: for small states. */
export class MemoryStateStorage extends MemorySpaces implements StateStorage {
  #draft: MemoryDraft | undefined

  /** @param committed what an earlier one had {@link MemorySpaces.current} @default nothing */
  constructor(committed: MemoryState = EMPTY) {
    super(committed)
  }

  beginDraft(): StateDraft {
    this.#draft?.abandon()
    this.#draft = new MemoryDraft((draft) => this.replace(draft.current))
    return this.#draft
  }

  discard(): void {
    this.#draft?.abandon()
    this.replace({ machine: new Map(), replica: new Map() })
  }
}
