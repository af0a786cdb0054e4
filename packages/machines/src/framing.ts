/** A client's commands become frames: encoded once, many at a time, and those that cannot be sent are sorted out. */
import { type Call, fail, invalidCommand, release } from './call.ts'
import type { ClientOptions } from './client-options.ts'
import { faultOf } from './client-queries.ts'
import { COMMAND_FRAME_HEADER_BYTES } from './command-frame.ts'
import type { Codec } from './machine.ts'
import { MAX_COMMANDS_BYTES } from './protocol.ts'
import type { SentFrame } from './sent-frame.ts'

/** Of a batch with large commands: so many share a frame at most. */
const LARGE_COMMANDS_PER_FRAME = 8

/** Bytes of the commands in one frame. */
const MAX_PAYLOAD_BYTES = MAX_COMMANDS_BYTES - COMMAND_FRAME_HEADER_BYTES

const SLOT_BYTES = 5 // largest msgpack array header

/**
 * The frames of `calls`, in order, without sequence numbers yet. Calls whose commands are too large or have no encoding are
 * failed with INVALID_COMMAND, and are in none.
 */
export function frameCalls(calls: Call[], options: ClientOptions, codec: Codec): SentFrame[] {
  const framer = new Framer(options, codec)
  for (let start = 0; start < calls.length; ) {
    const head = calls[start] as Call
    if (head.commands !== undefined) {
      framer.add(head.commands, [head], true)
      start++
      continue
    }
    let end = start + 1
    const limit = Math.min(calls.length, start + options.maxFrameCommands)
    while (end < limit && (calls[end] as Call).commands === undefined) end++
    const some = start === 0 && end === calls.length ? calls : calls.slice(start, end)
    const commands = some.map((call) => call.command)
    framer.add(commands, some, false)
    release(commands)
    start = end
  }
  return framer.frames
}

class Framer {
  readonly frames: SentFrame[] = []
  readonly #options: ClientOptions
  readonly #codec: Codec

  constructor(options: ClientOptions, codec: Codec) {
    this.#options = options
    this.#codec = codec
  }

  add(commands: readonly unknown[], calls: Call[], isMany: boolean): void {
    const payload = this.#encode(commands)
    if (payload === undefined) return this.#addOneByOne(commands, calls, isMany)
    this.#push(payload, commands.length, calls, isMany)
  }

  #push(payload: Uint8Array, count: number, calls: Call[], isMany: boolean): void {
    this.frames.push({ first: 0, count, payload, calls, isMany, results: undefined, sends: 0, refusals: 0 })
  }

  /** The encoded commands; undefined where one of them may be at fault. */
  #encode(commands: readonly unknown[]): Uint8Array | undefined {
    try {
      const payload = this.#codec.encode(commands)
      return payload.byteLength - SLOT_BYTES > this.#options.maxCommandBytes ? undefined : payload
    } catch {
      return undefined
    }
  }

  /** A batch that is too large, or holds something that cannot be encoded: find out which command it is. */
  #addOneByOne(commands: readonly unknown[], calls: Call[], isMany: boolean): void {
    const faults = commands.map((command) =>
      faultOf('command', command, this.#options.maxCommandBytes, this.#codec),
    )
    if (isMany) {
      const fault = faults.find((candidate) => candidate !== undefined)
      if (fault !== undefined) return fail(calls[0] as Call, fault)
      return this.#addSound(commands, calls, true)
    }
    const sound: Call[] = []
    calls.forEach((call, index) => {
      const fault = faults[index]
      if (fault === undefined) sound.push(call)
      else fail(call, fault)
    })
    if (sound.length === 0) return
    const fitting = Math.floor((MAX_PAYLOAD_BYTES - SLOT_BYTES) / this.#options.maxCommandBytes)
    const each = Math.min(LARGE_COMMANDS_PER_FRAME, fitting)
    for (let start = 0; start < sound.length; start += each) {
      const some = sound.slice(start, start + each)
      this.#addSound(
        some.map((call) => call.command),
        some,
        false,
      )
    }
  }

  #addSound(commands: readonly unknown[], calls: Call[], isMany: boolean): void {
    const payload = this.#codec.encode(commands)
    const { byteLength } = payload
    if (byteLength > MAX_PAYLOAD_BYTES) {
      const fault = invalidCommand('commands', `${byteLength} bytes`, `at most ${MAX_PAYLOAD_BYTES} together`)
      for (const call of calls) fail(call, fault)
      return
    }
    this.#push(payload, commands.length, calls, isMany)
  }
}
