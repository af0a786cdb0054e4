import type { Entry, Message } from '@troupe/core'
import { list } from '../fields.ts'
import { unpackMessage } from '../unpack-message.ts'

/** What stands for bulk bytes that are not there: as many of them, of zeros. */
const hollow = {
  bytes: (length: unknown): Uint8Array => new Uint8Array(length as number),
  entries: (lengths: unknown, first: number, term: number): Entry[] =>
    list(lengths).map((_, place) => ({
      index: first + place,
      term,
      kind: 0,
      timeMs: 0,
      commandCount: 0,
      configurationIndex: 0,
      record: new Uint8Array(0),
    })),
}

/**
 * The message of a deed `message` or `afterFlush`, for people: with what the account of a turn has of it, which is everything
 * but who sent it and the bytes of entries, payloads and snapshots.
 * @throws where the deed is no such one
 */
export function hollowMessage([, to, , , kind, ...fields]: readonly unknown[]): Message {
  const ends = { from: '', fromIncarnation: 0, fromBoot: 0, to: String(to) }
  return unpackMessage([kind, 0, 0, ...fields], ends, hollow)
}
