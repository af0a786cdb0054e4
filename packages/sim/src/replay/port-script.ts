import { RaftError } from '@troupe/core'
import { type PortResult, portName, type RecordedPort } from '@troupe/wire'

const NO_ARGS: readonly number[] = []

/** The node asks for something else than what was recorded. */
export class OffScript extends Error {
  override readonly name = 'OffScript'
  readonly recorded: string
  readonly replayed: string

  constructor(recorded: string, replayed: string) {
    super(`recorded: ${recorded}; replayed: ${replayed}`)
    this.recorded = recorded
    this.replayed = replayed
  }
}

/** What clock and ports say in one turn, in the order in which they are asked. */
export class PortScript {
  #timesMs: readonly number[] = []
  #results: readonly PortResult[] = []
  #time = 0
  #result = 0

  turnTo(timesMs: readonly number[], results: readonly PortResult[]): void {
    this.#timesMs = timesMs
    this.#results = results
    this.#time = 0
    this.#result = 0
  }

  /** @throws OffScript */
  nowMs(): number {
    const time = this.#timesMs[this.#time++]
    if (time === undefined) throw new OffScript('no further look at the clock', 'looks at the clock')
    return time
  }

  /** What the port answered. @throws OffScript, and what the port threw */
  next(port: RecordedPort, args = NO_ARGS): unknown {
    const result = this.#results[this.#result++]
    if (result === undefined) throw new OffScript('asks nothing more', asked(port, args))
    const isAsked = result.port === port && args.every((arg, place) => arg === result.args[place])
    if (!isAsked) throw new OffScript(asked(result.port, result.args), asked(port, args))
    if (result.thrown !== undefined) throw RaftError.fromWire(result.thrown)
    return result.value
  }

  /** The turn is over. @throws OffScript where something was not asked for */
  over(): void {
    const result = this.#results[this.#result]
    if (result !== undefined) throw new OffScript(asked(result.port, result.args), 'asks nothing more')
    if (this.#time < this.#timesMs.length)
      throw new OffScript('looks at the clock', 'no further look at the clock')
  }
}

const asked = (port: number, args: readonly number[]): string =>
  `asks for ${portName(port)}(${args.join(', ')})`
