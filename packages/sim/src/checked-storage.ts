import type { MachineStorage, StateDraft, StateStorage } from '@troupe/core'
import { type MemoryState, MemoryStateStorage } from '@troupe/machines'
import type { CheckedMachine } from './checked-machine.ts'

/** Beside the rows of the replica (machines/src/kept-replica.ts), whose first bytes are lower. */
const DIGEST_KEY = Uint8Array.of(255)

/**
 * The state of a node whose machine keeps it on the disk. What is committed survives a crash: it is not flushed, but the
 * operating system has it. The digest of the machine is kept with it.
 */
export class CheckedStorage implements StateStorage {
  readonly #inner: MemoryStateStorage
  #machine: CheckedMachine | undefined

  constructor(committed: MemoryState | undefined) {
    this.#inner = new MemoryStateStorage(committed)
  }

  /** From now on the digest of `machine`, which begins with what is kept here. */
  watch(machine: CheckedMachine): void {
    this.#machine = machine
    machine.restore(this.#inner.replica.get(DIGEST_KEY))
  }

  get committed(): MemoryState {
    return this.#inner.current
  }
  get machine(): MachineStorage {
    return this.#inner.machine
  }
  get replica(): MachineStorage {
    return this.#inner.replica
  }

  batch(run: () => void): void {
    this.#inner.batch(() => {
      run()
      this.#note(this.#inner.replica)
    })
  }

  #note(rows: MachineStorage): void {
    if (this.#machine !== undefined) rows.put(DIGEST_KEY, this.#machine.header())
  }

  beginDraft(): StateDraft {
    const draft = this.#inner.beginDraft()
    return {
      machine: draft.machine,
      replica: draft.replica,
      batch: (run) =>
        draft.batch(() => {
          run()
          this.#note(draft.replica)
        }),
      adopt: () => draft.adopt(),
      abandon: () => draft.abandon(),
    }
  }

  discard(): void {
    this.#inner.discard()
    this.#machine?.restore(undefined)
  }
}
