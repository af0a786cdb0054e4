/** The stores of a replayed node: they say what is recorded, and keep nothing. */
import type {
  Durability,
  Entry,
  HardState,
  IndexRange,
  LogPosition,
  LogStore,
  SnapshotMeta,
  SnapshotStore,
} from '@troupe/core'
import { RecordedPort, type TurnAccount } from '@troupe/wire'
import { Violation } from '../contract.ts'
import type { PortScript } from './port-script.ts'

export class ScriptedStore implements LogStore {
  readonly metrics = { flushes: 0, entriesFlushed: 0, bytesFlushed: 0 }
  readonly #script: PortScript

  constructor(script: PortScript) {
    this.#script = script
  }

  get base(): LogPosition {
    return this.#script.next(RecordedPort.base) as LogPosition
  }
  get lastIndex(): number {
    return this.#script.next(RecordedPort.lastIndex) as number
  }
  get damaged(): readonly IndexRange[] {
    return this.#script.next(RecordedPort.damaged) as readonly IndexRange[]
  }
  get hardState(): HardState {
    return this.#script.next(RecordedPort.hardState) as HardState
  }
  get durability(): Durability {
    return this.#script.next(RecordedPort.durability) as Durability
  }
  termAt(index: number): number | undefined {
    return this.#script.next(RecordedPort.termAt, [index]) as number | undefined
  }
  read(from: number, to: number, maxBytes: number): Entry[] {
    return this.#script.next(RecordedPort.read, [from, to, maxBytes]) as Entry[]
  }
  /** It is in the account of the turn. */
  persist(): void {}
  forgotten(): void {}
  close(): never {
    throw new Violation('replay', 'a replayed node is not closed')
  }
}

export class ScriptedSnapshots implements SnapshotStore {
  readonly #script: PortScript
  readonly #account: TurnAccount

  constructor(script: PortScript, account: TurnAccount) {
    this.#script = script
    this.#account = account
  }

  get latest(): SnapshotMeta | undefined {
    return this.#script.next(RecordedPort.latest) as SnapshotMeta | undefined
  }
  get pendingBytes(): number {
    return this.#script.next(RecordedPort.pendingBytes) as number
  }
  read(index: number, checksum: number, offset: number, maxBytes: number): Uint8Array | undefined {
    const asked = [index, checksum, offset, maxBytes]
    return this.#script.next(RecordedPort.snapshotRead, asked) as Uint8Array | undefined
  }
  received({ index }: SnapshotMeta): number {
    return this.#script.next(RecordedPort.received, [index]) as number
  }
  begin(): void {
    this.#account.snapshot('begin')
  }
  write(data: Uint8Array): void {
    this.#account.snapshot('write', data)
  }
  finish(meta: SnapshotMeta): void {
    this.#account.snapshot('finish', meta)
  }
  abort(): void {
    this.#account.snapshot('abort')
  }
  receive(): void {}
  close(): never {
    throw new Violation('replay', 'a replayed node is not closed')
  }
}
