/** Messages come in: checked before anything is done, so that a command is done as a whole or not at all. */
import { reject } from '../machine.ts'
import { arrayBody, arrayLength, NOT_MSGPACK } from '../msgpack-cursor.ts'
import type { ViewedBytes } from '../viewed-bytes.ts'
import { type Fingerprint, fingerprintOf } from './fingerprint.ts'
import { MessageReader } from './message-reader.ts'
import { Field, MessageState } from './messages.ts'
import { recordBytes } from './payloads.ts'
import { IdField, type QueueState } from './queue-state.ts'
import type { Queue } from './topology.ts'

const HIGH = 0x100000000
const print: Fingerprint = new Uint32Array(4)
const reader = new MessageReader()

/**
 * Sends the messages in the array at `offset`. Returns the position of the first where they are all new, otherwise one
 * number for each, negative for a duplicate.
 */
export function send(
  state: QueueState,
  queue: Queue,
  source: ViewedBytes,
  offset: number,
): number | number[] {
  const count = arrayLength(source.bytes, offset)
  if (count === NOT_MSGPACK || count === 0) throw reject('BAD_COMMAND send takes an array of messages')
  checkAll(state, queue, source, offset, count)
  const first = state.lastPosition + 1
  let positions: number[] | undefined
  let at = arrayBody(source.bytes, offset)
  for (let index = 0; index < count; index++) {
    reader.read(source, at)
    at = reader.end
    const position = sendOne(state, queue, source)
    if (position < 0) positions ??= Array.from({ length: index }, (_, each) => first + each)
    positions?.push(position)
  }
  for (const lane of queue.lanes) state.deliver(lane)
  return positions ?? first
}

function checkAll(state: QueueState, queue: Queue, source: ViewedBytes, offset: number, count: number): void {
  const { maxMessages, maxBytes } = queue.settings
  const { maxMessageBytes } = state.limits
  if (queue.messageCount + count * queue.lanes.length > maxMessages)
    throw reject(`QUEUE_FULL ${queue.name} has ${queue.messageCount} messages of at most ${maxMessages}`)
  let at = arrayBody(source.bytes, offset)
  let bytes = 0
  for (let index = 0; index < count; index++) {
    const complaint = reader.read(source, at)
    if (complaint !== undefined) throw reject(`BAD_COMMAND message ${index}: ${complaint}`)
    const size = reader.end - reader.start
    if (size > maxMessageBytes)
      throw reject(`BAD_COMMAND message ${index}: ${size} bytes, of at most ${maxMessageBytes}`)
    bytes += recordBytes(size)
    at = reader.end
  }
  if (queue.byteCount + bytes > maxBytes || !state.payloads.hasRoomFor(bytes))
    throw reject(`QUEUE_FULL ${queue.name} has ${queue.byteCount} bytes of at most ${maxBytes}`)
}

/** The message that the reader stands at. Returns its position, or that of the earlier one, negated. */
function sendOne(state: QueueState, queue: Queue, source: ViewedBytes): number {
  const { messages } = state
  let id = 0
  if (reader.idEnd > reader.idStart) {
    fingerprintOf(source.bytes, reader.idStart, reader.idEnd, queue.number, print)
    id = state.ids.find(print)
    if (id !== 0 && isRemembered(state, id)) {
      queue.duplicates++
      return -positionOf(state, id)
    }
    if (id === 0) id = state.ids.add(print)
  }
  const position = ++state.lastPosition
  queue.sent++
  const owner = enterLanes(state, queue, source, position)
  if (id === 0) return position
  messages.set(owner, Field.id, id)
  remember(state, id, owner, position)
  return position
}

/** A slot in each lane; returns the one that owns the bytes. */
function enterLanes(state: QueueState, queue: Queue, source: ViewedBytes, position: number): number {
  const { messages, nowMs } = state
  let owner = 0
  for (const lane of queue.lanes) {
    const slot = messages.allocate()
    messages.setPlace(slot, lane.number, MessageState.spent, reader.priority)
    messages.setWide(slot, Field.position, position)
    messages.setWide(slot, Field.sentMs, nowMs)
    if (reader.ttlMs > 0) messages.setWide(slot, Field.expiresMs, nowMs + reader.ttlMs)
    queue.messageCount++
    if (owner === 0) {
      owner = slot
      messages.set(slot, Field.bytes, reader.end - reader.start)
      messages.set(slot, Field.address, state.payloads.append(slot, source, reader.start, reader.end))
      queue.byteCount += reader.end - reader.start
    } else {
      const next = messages.get(owner, Field.sibling)
      messages.set(slot, Field.sibling, next === 0 ? owner : next)
      messages.set(owner, Field.sibling, slot)
    }
    if (reader.keyEnd > reader.keyStart) {
      fingerprintOf(source.bytes, reader.keyStart, reader.keyEnd, lane.number, print)
      state.holdKey(slot, print)
    }
    if (reader.delayMs > 0) state.delay(lane, slot, nowMs + reader.delayMs)
    else state.enter(lane, slot)
  }
  return owner
}

// ---- ids

const positionOf = ({ ids }: QueueState, id: number): number =>
  ids.get(id, IdField.position) + ids.get(id, IdField.positionHigh) * HIGH

const windowEndOf = ({ ids }: QueueState, id: number): number =>
  ids.get(id, IdField.expiresMs) + ids.get(id, IdField.expiresMsHigh) * HIGH

/** Within its window, or as long as its message is there. */
function isRemembered(state: QueueState, id: number): boolean {
  return state.ids.get(id, IdField.slot) !== 0 || windowEndOf(state, id) > state.nowMs
}

const NOT_WINDOWED = 0
const WINDOWED = 1
/** It has another window by now: its place among the windows is too early. */
const WINDOWED_ANEW = 2

function remember(state: QueueState, id: number, slot: number, position: number): void {
  const { ids } = state
  const endMs = state.nowMs + state.limits.idWindowMs
  ids.set(id, IdField.position, position >>> 0)
  ids.set(id, IdField.positionHigh, Math.floor(position / HIGH))
  ids.set(id, IdField.slot, slot)
  ids.set(id, IdField.expiresMs, endMs >>> 0)
  ids.set(id, IdField.expiresMsHigh, Math.floor(endMs / HIGH))
  if (ids.get(id, IdField.windowed) === NOT_WINDOWED) appendWindow(state, id)
  else ids.set(id, IdField.windowed, WINDOWED_ANEW)
}

function appendWindow({ ids, idWindow }: QueueState, id: number): void {
  ids.set(id, IdField.windowed, WINDOWED)
  ids.set(id, IdField.next, 0)
  if (idWindow.tail === 0) idWindow.head = id
  else ids.set(idWindow.tail, IdField.next, id)
  idWindow.tail = id
}

/** Forgets ids whose windows have ended, a bounded number at once: `isRemembered` does not rely on it. */
export function forgetIds(state: QueueState, most: number): void {
  const { ids, idWindow } = state
  for (let count = 0; count < most && idWindow.head !== 0; count++) {
    const id = idWindow.head
    const isAnew = ids.get(id, IdField.windowed) === WINDOWED_ANEW
    if (!isAnew && windowEndOf(state, id) > state.nowMs) return
    idWindow.head = ids.get(id, IdField.next)
    if (idWindow.head === 0) idWindow.tail = 0
    if (isAnew) appendWindow(state, id)
    else if (ids.get(id, IdField.slot) === 0) ids.remove(id)
    else ids.set(id, IdField.windowed, NOT_WINDOWED)
  }
}

/** The id's record where it is remembered. */
export function findId(
  state: QueueState,
  queue: Queue,
  encodedId: Uint8Array,
  start: number,
): { position: number; slot: number } | undefined {
  fingerprintOf(encodedId, start, encodedId.byteLength, queue.number, print)
  const id = state.ids.find(print)
  if (id === 0 || !isRemembered(state, id)) return undefined
  return { position: positionOf(state, id), slot: state.ids.get(id, IdField.slot) }
}

/** Puts the keyed message back under its key. `bytes`: as it was sent. */
export function holdKeyAgain(state: QueueState, lane: number, slot: number, bytes: ViewedBytes): void {
  reader.read(bytes, 0)
  if (reader.keyEnd === reader.keyStart) return
  fingerprintOf(bytes.bytes, reader.keyStart, reader.keyEnd, lane, print)
  state.holdKey(slot, print)
}
