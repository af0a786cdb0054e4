/**
 * The queue machine: a durable work queue as a replicated state machine.
 *
 *     payload ─► send: walked over where it stands (sending, message-reader)
 *             └► others: decoded (queue-dispatch) ─► settling, upkeep
 *     before each payload ─► advance: what has fallen due (timers)
 *     QueueState: messages, timers, keys, ids in words outside the heap; payloads in segments; topology
 *
 * Time is log time. Nothing here looks through waiting messages: lists, a heap and tables lead to each. The results of all
 * commands are small; what is delivered is read by a query, on whatever replica the consumer is at.
 */
import { invalidOption, type StateLoader } from '@troupe/core'
import {
  type BatchResults,
  type Codec,
  type CommandMeta,
  type MachineContext,
  type MachineDefinition,
  NOT_YET,
  type RestingMachine,
  refusalReason,
  reject,
  type StateMachine,
} from '../machine.ts'
import { arrayBody, arrayLength, NOT_MSGPACK, skipValue, stringLength } from '../msgpack-cursor.ts'
import type { CommandError } from '../outcome.ts'
import { type ViewedBytes, viewed } from '../viewed-bytes.ts'
import { MemorySegments } from './memory-segments.ts'
import { DEFAULT_SEGMENT_BYTES } from './payloads.ts'
import { badCommand, laneOf, limitOf, queueOf, waitingOf } from './queue-arguments.ts'
import { Op } from './queue-commands.ts'
import { runCommand } from './queue-dispatch.ts'
import { deliveriesOf, eventsOf, find, hasRoom, peek, resultsOf, statsOf } from './queue-queries.ts'
import { beginSave, QueueLoader, rest, save, savedBytesOf } from './queue-saving.ts'
import { type QueueLimits, QueueState } from './queue-state.ts'
import { send } from './sending.ts'
import { advance, dueMsOf, removeConsumersOf } from './upkeep.ts'

const DEFAULT_LIMITS: QueueLimits = {
  idWindowMs: 300_000,
  resultMs: 300_000,
  maxResults: 100_000,
  maxMessageBytes: 256 << 10,
  maxPrefetch: 4096,
  maxConsumers: 4096,
  maxLanes: 4096,
  segmentBytes: DEFAULT_SEGMENT_BYTES,
}

/** Results of the commands of a payload: a number that counts up costs nothing for each. */
class Results {
  readonly #count: number
  #from: number | undefined
  #results: unknown[] | undefined
  #errors: CommandError[] | undefined

  constructor(count: number) {
    this.#count = count
  }

  add(index: number, result: unknown): void {
    if (this.#results === undefined && this.#errors === undefined) {
      if (index === 0 && typeof result === 'number') {
        this.#from = result
        return
      }
      const isNext = this.#from === undefined ? result === undefined : result === this.#from + index
      if (isNext) return
    }
    if (result !== undefined || this.#from !== undefined) this.#list(index)[index] = result
  }

  fail(index: number, reason: string): void {
    if (this.#from !== undefined) this.#list(index)
    this.#errors ??= []
    this.#errors.push([index, reason])
  }

  /** Those before `index` as they are: counting up, or undefined. */
  #list(index: number): unknown[] {
    if (this.#results !== undefined) return this.#results
    const from = this.#from
    this.#results = new Array<unknown>(this.#count).fill(undefined)
    if (from !== undefined) for (let each = 0; each < index; each++) this.#results[each] = from + each
    this.#from = undefined
    return this.#results
  }

  get batch(): BatchResults | undefined {
    const errors = this.#errors === undefined ? {} : { errors: this.#errors }
    if (this.#from !== undefined) return { results: { from: this.#from }, ...errors }
    if (this.#results !== undefined) return { results: this.#results, ...errors }
    return this.#errors === undefined ? undefined : errors
  }
}

/** Names of queues from their bytes: nearly always that of the command before, which needs no decoding. */
class QueueNames {
  readonly #codec: Codec
  #bytes = new Uint8Array(0)
  #name = ''

  constructor(codec: Codec) {
    this.#codec = codec
  }

  /** The encoded string at `start` to `end`. */
  read(bytes: Uint8Array, start: number, end: number): string {
    if (this.#isLast(bytes, start, end)) return this.#name
    this.#bytes = bytes.slice(start, end)
    this.#name = this.#codec.decode(this.#bytes) as string
    return this.#name
  }

  #isLast(bytes: Uint8Array, start: number, end: number): boolean {
    const last = this.#bytes
    if (last.byteLength !== end - start) return false
    for (let at = 0; at < last.byteLength; at++) if (last[at] !== bytes[start + at]) return false
    return true
  }
}

export class QueueMachine implements StateMachine {
  readonly #codec: Codec
  readonly #names: QueueNames
  #state: QueueState

  constructor({ codec, options, segments = new MemorySegments() }: MachineContext) {
    this.#codec = codec
    this.#names = new QueueNames(codec)
    this.#state = new QueueState(limitsOf(options), codec, segments)
  }

  get dueMs(): number {
    return dueMsOf(this.#state)
  }

  get stateBytes(): number {
    return savedBytesOf(this.#state)
  }

  /** What it stands on: slots in use (one for each group that a message is in), bytes of messages, bytes of their segments. */
  get usage(): { readonly slots: number; readonly aliveBytes: number; readonly keptBytes: number } {
    const { messages, payloads } = this.#state
    return { slots: messages.count, aliveBytes: payloads.aliveBytes, keptBytes: payloads.keptBytes }
  }

  passTime({ timeMs }: CommandMeta): void {
    advance(this.#state, timeMs)
  }

  /** What the client's consumers hold comes back at once. */
  connectionClosed({ timeMs, session = 0 }: CommandMeta): void {
    advance(this.#state, timeMs)
    removeConsumersOf(this.#state, session)
  }

  /** One command by the same path as many, so that there is only one. */
  apply(command: unknown, meta: CommandMeta): unknown {
    const { results, errors } = this.applyPayload(this.#codec.encode([command]), 1, meta) ?? {}
    const error = errors?.[0]
    if (error !== undefined) throw reject(error[1])
    return results !== undefined && 'from' in results ? results.from : results?.[0]
  }

  applyPayload(payload: Uint8Array, count: number, meta: CommandMeta): BatchResults | undefined {
    if (arrayLength(payload, 0) !== count) throw reject('the frame does not hold its commands')
    advance(this.#state, meta.timeMs)
    this.#state.session = meta.session ?? 0
    const results = new Results(count)
    const source = viewed(payload)
    let offset = arrayBody(payload, 0)
    for (let index = 0; index < count; index++) {
      const end = skipValue(payload, offset)
      try {
        if (end === NOT_MSGPACK) throw badCommand('the command does not decode')
        results.add(index, this.#run(source, offset, end))
      } catch (error) {
        results.fail(index, refusalReason(error))
      }
      // What follows damage cannot be found.
      offset = end === NOT_MSGPACK ? payload.byteLength : end
    }
    return results.batch
  }

  #run(source: ViewedBytes, offset: number, end: number): unknown {
    const { bytes } = source
    const op = arrayBody(bytes, offset)
    if (arrayLength(bytes, offset) !== 3 || bytes[op] !== Op.send)
      return runCommand(this.#state, this.#codec.decode(bytes.subarray(offset, end)))
    if (stringLength(bytes, op + 1) === NOT_MSGPACK) throw badCommand('send takes the name of a queue')
    const messages = skipValue(bytes, op + 1)
    const queue = queueOf(this.#state, this.#names.read(bytes, op + 1, messages))
    return send(this.#state, queue, source, messages)
  }

  query(query: unknown): unknown {
    if (!Array.isArray(query)) throw badCommand('a queue query is an array: [operation, ...]')
    const [op, first, second, third, fourth] = query as readonly unknown[]
    const state = this.#state
    switch (op) {
      case 'deliveries':
        return deliveriesOf(state, first, second, limitOf(third))
      case 'await':
        return deliveriesOf(state, first, second, limitOf(third)) ?? NOT_YET
      case 'stats':
        return statsOf(state, queueOf(state, first))
      case 'peek':
        return peek(state, laneOf(state, first, second), waitingOf(third), limitOf(fourth))
      case 'get':
        return find(state, queueOf(state, first), second)
      case 'results':
        if (!Array.isArray(first)) throw badCommand('results takes an array of positions')
        return resultsOf(state, first)
      case 'awaitResult':
        return resultsOf(state, [first])[0] ?? NOT_YET
      case 'awaitRoom':
        return hasRoom(state, queueOf(state, first), Number(second), Number(third)) || NOT_YET
      case 'awaitEvents':
        return eventsOf(laneOf(state, first, second), third as number | null, limitOf(fourth)) ?? NOT_YET
      case 'queues':
        return [...state.topology.queues.keys()]
      default:
        throw badCommand('unknown queue query')
    }
  }

  save(): Iterable<Uint8Array> {
    return save(this.#state)
  }

  beginSave(): Iterator<Uint8Array> {
    return beginSave(this.#state)
  }

  load(chunks: Iterable<Uint8Array>): void {
    const loader = this.beginLoad()
    for (const chunk of chunks) loader.chunk(chunk)
    loader.end()
  }

  beginLoad(): StateLoader {
    const loader = new QueueLoader(this.#state, false)
    return {
      chunk: (bytes) => loader.chunk(bytes),
      end: () => {
        const loaded = loader.end()
        this.#state.space.close()
        this.#state = loaded
      },
    }
  }

  rest(): RestingMachine {
    return { segments: this.#state.space, pieces: rest(this.#state) }
  }

  beginResume(): StateLoader {
    const loader = new QueueLoader(this.#state, true)
    return {
      chunk: (bytes) => loader.chunk(bytes),
      end: () => {
        this.#state = loader.end()
      },
    }
  }
}

function limitsOf(options: Readonly<Record<string, unknown>>): QueueLimits {
  const limits: Record<string, number> = { ...DEFAULT_LIMITS }
  for (const name of Object.keys(limits)) {
    const value = options[name]
    if (value === undefined) continue
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw invalidOption(`machineOptions.${name}`, value, 'an integer that is not negative')
    limits[name] = value as number
  }
  const checked = limits as unknown as QueueLimits
  if (checked.segmentBytes < 1024 || (checked.segmentBytes & (checked.segmentBytes - 1)) !== 0)
    throw invalidOption('machineOptions.segmentBytes', checked.segmentBytes, 'a power of two from 1,024 on')
  if (checked.maxMessageBytes * 2 > checked.segmentBytes)
    throw invalidOption(
      'machineOptions.maxMessageBytes',
      checked.maxMessageBytes,
      'at most half of segmentBytes',
    )
  if (checked.maxLanes > 0xffff)
    throw invalidOption('machineOptions.maxLanes', checked.maxLanes, 'at most 65,535')
  return checked
}

export const queueMachine: MachineDefinition = {
  name: 'queue',
  segments: true,
  create: (context) => new QueueMachine(context),
}
