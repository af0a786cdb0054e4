import type { ClientConnection } from '@troupe/machines'
import type { Tape } from './tape.ts'

/** A client's connection, by a number. */
export class RecordedConnection implements ClientConnection {
  readonly number: number
  readonly #tape: Tape
  readonly #inner: ClientConnection

  constructor(tape: Tape, inner: ClientConnection, number: number) {
    this.#tape = tape
    this.#inner = inner
    this.number = number
  }

  send(frame: Uint8Array): boolean {
    const place = this.#tape.account.reply(this.number, frame)
    const isTaken = this.#inner.send(frame)
    if (!isTaken && this.#tape.isRunning) this.#tape.encoder.refusedSend(place)
    return isTaken
  }

  close(offence?: string): void {
    this.#tape.account.hangUp(this.number, offence)
    this.#inner.close(offence)
  }
}
