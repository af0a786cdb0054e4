/** A client whose nodes are played by the test. */
import assert from 'node:assert/strict'
import { RaftError, type RaftErrorCode, seededRandom } from '@troupe/core'
import {
  ClientCore,
  type ClientOptions,
  type ClientRequest,
  type CommandFrame,
  type Consistency,
  decodeClientFrame,
  encodeReplies,
  type NodeReply,
  ReplyKind,
  readCommandFrames,
  resolveClientOptions,
} from '../src/index.ts'
import { Caller, codec } from './support.ts'

export const GROUP = 3

/** A connection that keeps what it was given. */
export class FakeLink {
  readonly sent: Uint8Array[] = []
  isFull = false

  send(frame: Uint8Array): boolean {
    if (this.isFull) return false
    this.sent.push(frame)
    return true
  }
  #take(): { requests: readonly ClientRequest[]; commands: CommandFrame[] }[] {
    return this.sent.splice(0).map((bytes) => {
      const frame = decodeClientFrame(bytes, codec)
      assert.ok(typeof frame !== 'string', String(frame))
      assert.equal(frame.group, GROUP)
      const commands = readCommandFrames(frame.commands)
      assert.ok(typeof commands !== 'string', String(commands))
      return { requests: frame.requests, commands }
    })
  }
  /** The command frames of all messages since the last call. */
  frames(): CommandFrame[] {
    return this.#take().flatMap(({ commands }) => commands)
  }
  /** Whether somebody asks who leads, and nothing else. */
  isQuestion(): boolean {
    const frames = this.#take()
    return frames.some(({ requests, commands }) => requests.length + commands.length === 0)
  }
  /** The queries of all messages since the last call, with what they share with the others of their batch. */
  queries(): AskedQuery[] {
    return this.batches().flatMap(([, id, consistency, count, payload]) => {
      const queries = codec.decode(payload) as unknown[]
      assert.equal(queries.length, count)
      return queries.map((query): AskedQuery => ({ id, consistency, query }))
    })
  }
  batches(): ClientRequest[] {
    return this.#take().flatMap(({ requests }) => requests)
  }
}

export interface AskedQuery {
  /** Of its batch. */
  readonly id: number
  readonly consistency: Consistency
  readonly query: unknown
}

export const replies = (...list: readonly NodeReply[]): Uint8Array => encodeReplies(GROUP, list, codec)
export const commandsOf = (frames: readonly CommandFrame[]): unknown[] =>
  frames.flatMap(({ payload }) => codec.decode(payload) as unknown[])
export const spanOf = ({ first, count }: CommandFrame): [number, number] => [first, count]

/** A client that is connected to n1, which leads in term 1, and has session 7. */
export function connected(options: Partial<ClientOptions> = {}): { core: ClientCore; link: FakeLink } {
  const { core, link } = leaderless(options)
  core.frame('n1', replies([ReplyKind.leader, 1, 'n1']))
  const first = new Caller('opens the session')
  core.propose(first)
  core.flush(0)
  const [opening] = link.frames()
  assert.ok(opening)
  assert.deepEqual([opening.session, opening.count], [0, 1])
  core.frame('n1', replies([ReplyKind.opened, opening.first, 7]))
  core.flush(0)
  assert.deepEqual(link.frames().map(spanOf), [[1, 1]])
  core.frame('n1', outcome(1, 1))
  assert.equal(first.settlements, 1)
  return { core, link }
}

export function leaderless(options: Partial<ClientOptions> = {}): { core: ClientCore; link: FakeLink } {
  const core = new ClientCore(resolveClientOptions(GROUP, options), codec, seededRandom(1))
  const link = new FakeLink()
  core.opened('n1', link)
  return { core, link }
}

/** What became of the commands `first` to `first + count - 1` of session 7: their numbers as results. */
export function outcome(first: number, count: number, errors: [number, string][] | null = null): Uint8Array {
  const results = Array.from({ length: count }, (_, offset) => `r${first + offset}`)
  return replies([ReplyKind.outcomes, 7, [[first, count, results, errors]]])
}

export function propose(core: ClientCore, ...commands: unknown[]): Caller[] {
  const callers = commands.map((command) => new Caller(command))
  for (const caller of callers) core.propose(caller)
  return callers
}

export const codeOf = ({ error, settlements }: Caller): RaftErrorCode | undefined => {
  assert.ok(settlements <= 1)
  return error?.code
}
export const throwsCode = (code: RaftErrorCode, run: () => void): void =>
  assert.throws(run, (error) => RaftError.is(error, code))
