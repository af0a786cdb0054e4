/**
 * Reads a message where it stands, without making objects of it: most messages are kept as they came, and only asked how they want
 * to be treated.
 *
 *     [data, id?, key?, delayMs?, priority?, ttlMs?, attempts?, backoff?, headers?]     null or cut off: absent
 */
import {
  arrayBody,
  arrayLength,
  NOT_MSGPACK,
  skipValue,
  stringBody,
  stringLength,
} from '../msgpack-cursor.ts'
import type { ViewedBytes } from '../viewed-bytes.ts'
import { DEFAULT_PRIORITY, PRIORITIES } from './topology.ts'

const NIL = 0xc0
const MAX_ID_BYTES = 1024
/** A hundred years, so that sums of times stay exact. */
const MAX_MS = 100 * 366 * 86_400_000
const MAX_PARTS = 9

/** How a message wants to be treated. Reused: read what you need before the next one. */
export class MessageReader {
  start = 0
  end = 0
  idStart = 0
  /** Equal to `idStart` where there is no id. */
  idEnd = 0
  keyStart = 0
  keyEnd = 0
  delayMs = 0
  priority = DEFAULT_PRIORITY
  /** 0 where it does not expire. */
  ttlMs = 0
  /** Where the rest begins: attempts, backoff, headers. 0 where there is none. */
  rest = 0
  restParts = 0

  /** Reads the message at `offset`; returns what is wrong with it. Then `end` means nothing. */
  read(source: ViewedBytes, offset: number): string | undefined {
    const { bytes } = source
    this.#reset(offset)
    const parts = arrayLength(bytes, offset)
    if (parts < 1 || parts > MAX_PARTS) return 'a message is an array: [data, ...options]'
    let at = skipValue(bytes, arrayBody(bytes, offset))
    for (let part = 1; part < parts && at !== NOT_MSGPACK; part++) {
      if (part === 6) {
        this.rest = at
        this.restParts = parts - 6
      }
      const next = skipValue(bytes, at)
      if (next !== NOT_MSGPACK && bytes[at] !== NIL) {
        const complaint = this.#part(source, part, at, next)
        if (complaint !== undefined) return complaint
      }
      at = next
    }
    if (at === NOT_MSGPACK) return 'the message does not decode'
    this.end = at
    return undefined
  }

  #reset(offset: number): void {
    this.start = offset
    this.idStart = 0
    this.idEnd = 0
    this.keyStart = 0
    this.keyEnd = 0
    this.delayMs = 0
    this.priority = DEFAULT_PRIORITY
    this.ttlMs = 0
    this.rest = 0
    this.restParts = 0
  }

  #part(source: ViewedBytes, part: number, at: number, end: number): string | undefined {
    const { bytes } = source
    switch (part) {
      case 1:
      case 2: {
        const start = stringBody(bytes, at)
        const isText = stringLength(bytes, at) !== NOT_MSGPACK
        if (!isText || end - start < 1 || end - start > MAX_ID_BYTES)
          return `${part === 1 ? 'id' : 'key'}: a string of 1 to ${MAX_ID_BYTES} bytes`
        if (part === 1) [this.idStart, this.idEnd] = [start, end]
        else [this.keyStart, this.keyEnd] = [start, end]
        return undefined
      }
      case 3:
        this.delayMs = integerAt(source, at)
        return isWithin(this.delayMs, 0, MAX_MS) ? undefined : 'delayMs: an integer that is not negative'
      case 4:
        this.priority = integerAt(source, at)
        return isWithin(this.priority, 0, PRIORITIES - 1) ? undefined : `priority: 0 to ${PRIORITIES - 1}`
      case 5:
        this.ttlMs = integerAt(source, at)
        return isWithin(this.ttlMs, 1, MAX_MS) ? undefined : 'ttlMs: a positive integer'
      case 6:
        return isWithin(integerAt(source, at), 1, 255) ? undefined : 'attempts: 1 to 255'
      case 7:
        return complainAboutBackoff(source, at)
      default:
        return isMap(bytes[at] as number) ? undefined : 'headers: a map'
    }
  }
}

const isWithin = (value: number, least: number, most: number): boolean => value >= least && value <= most

const isMap = (head: number): boolean => (head >= 0x80 && head <= 0x8f) || head === 0xde || head === 0xdf

/** `[kind, backoffMs, maxBackoffMs]`. */
function complainAboutBackoff(source: ViewedBytes, at: number): string | undefined {
  const { bytes } = source
  const complaint = "backoff: ['fixed' or 'exponential', backoffMs, maxBackoffMs]"
  if (arrayLength(bytes, at) !== 3) return complaint
  const kind = arrayBody(bytes, at)
  const length = stringLength(bytes, kind)
  const letter = bytes[stringBody(bytes, kind)]
  // 'f' and 'e': the lengths tell the rest.
  if (!(length === 5 && letter === 0x66) && !(length === 11 && letter === 0x65)) return complaint
  const base = skipValue(bytes, kind)
  const most = skipValue(bytes, base)
  const areTimes =
    isWithin(integerAt(source, base), 0, MAX_MS) && isWithin(integerAt(source, most), 0, MAX_MS)
  return areTimes ? undefined : complaint
}

/** The integer at `offset`, or NaN where there is none that is not negative. */
export function integerAt({ bytes, view }: ViewedBytes, offset: number): number {
  const head = bytes[offset] as number
  switch (head) {
    case 0xcc:
      return bytes[offset + 1] as number
    case 0xcd:
      return view.getUint16(offset + 1)
    case 0xce:
      return view.getUint32(offset + 1)
    case 0xcf:
      return exact(view.getUint32(offset + 1) * 0x100000000 + view.getUint32(offset + 5))
    case 0xcb:
      return exact(view.getFloat64(offset + 1))
    default:
      return head <= 0x7f ? head : Number.NaN
  }
}

const exact = (value: number): number => (Number.isSafeInteger(value) && value >= 0 ? value : Number.NaN)
