/**
 * One attempt to reach a node: connect, TLS, hello, welcome.
 *
 *     connect ─► TLS: is it who it should be? ─► hello ──► ... ◄── welcome: does it fit here? ─► opened
 *                   └──────────── no: a refusal for the other end, the reason for this one ◄─────┘
 */
import { connect, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type NodeId, show } from '@troupe/core'
import {
  encodeHandshake,
  encodeRefusal,
  type Handshake,
  type HandshakeRefusal,
  type HandshakeRefusalCode,
  type Hello,
  isRefusal,
  MAX_HANDSHAKE_BYTES,
  readHandshake,
  streamFrameOf,
} from '@troupe/wire'
import { type Address, formatAddress } from './address.ts'
import { type Credentials, certificateProblem } from './credentials.ts'
import { FramedSocket } from './framed-socket.ts'
import { nodeTimers, type Timers } from './timers.ts'
import { tls } from './tls.ts'

export interface DialRequest {
  readonly address: Address
  readonly hello: Hello
  /** Who has to answer; undefined: any node of the cluster. */
  readonly expected?: NodeId | undefined
  readonly credentials?: Pick<Credentials, 'context'> | undefined
  /** For all of it. @default 3000 */
  readonly timeoutMs?: number
  readonly timers?: Timers
}

/** Why nobody was reached. */
export interface DialFailure {
  readonly code:
    | HandshakeRefusalCode
    | 'unresolvable'
    | 'unreachable'
    | 'tls'
    | 'closed'
    | 'damaged'
    | 'oversized'
  readonly reason: string
  /** Where the other end has refused: why, as it counts it. */
  readonly told?: string
}

/** What becomes of an attempt. Exactly one is called, once, unless it is cancelled before. */
export interface DialEvents {
  /** The receiver sets the handlers of the connection before this returns. */
  opened(connection: FramedSocket, welcome: Handshake): void
  failed(failure: DialFailure): void
}

/** Begins an attempt. Gives what cancels it; that does nothing where it is over. */
export function dial(request: DialRequest, events: DialEvents): () => void {
  const attempt = new Attempt(request, events)
  return () => attempt.cancel()
}

const DEFAULT_TIMEOUT_MS = 3000

class Attempt {
  readonly #request: DialRequest
  readonly #events: DialEvents
  readonly #socket: Socket
  readonly #timers: Timers
  readonly #timer: unknown
  #isOver = false

  constructor(request: DialRequest, events: DialEvents) {
    const { address, credentials, timers = nodeTimers, timeoutMs = DEFAULT_TIMEOUT_MS } = request
    this.#request = request
    this.#events = events
    this.#timers = timers
    const { host, port } = address
    if (credentials === undefined) {
      this.#socket = connect({ host, port, noDelay: true })
      this.#socket.once('connect', () => this.#sayHello())
    } else {
      const { context: secureContext } = credentials
      const socket = tls().connect({
        host,
        port,
        secureContext,
        // Looked at in #secured, where the other end can be told; nodes are named by their ids, not by their hosts.
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
      })
      socket.setNoDelay(true)
      socket.once('secureConnect', () => this.#secured(socket))
      this.#socket = socket
    }
    this.#socket.on('error', (error) => this.#fail(failureOf(error)))
    this.#socket.once('close', () => {
      const hint = credentials === undefined ? ' (does it speak TLS?)' : ''
      this.#fail({ code: 'closed', reason: `closed before an answer${hint}` })
    })
    const late: DialFailure = { code: 'timeout', reason: `no answer within ${timeoutMs} ms` }
    this.#timer = timers.set(() => this.#fail(late), timeoutMs)
  }

  cancel(): void {
    if (!this.#end()) return
    this.#socket.destroy()
  }

  #secured(socket: TLSSocket): void {
    if (this.#isOver) return
    const problem = certificateProblem(socket, this.#request.expected)
    if (problem === undefined) return this.#sayHello()
    const { expected } = this.#request
    const whose = expected === undefined ? '' : `, for node ${show(expected)}`
    this.#refuse(this.#frame(), { code: 'certificate', reason: `${problem}${whose}` })
  }

  /** Nothing of this node's (no token either) is said before the certificate was looked at. */
  #sayHello(): void {
    if (this.#isOver) return
    this.#frame().send([streamFrameOf(encodeHandshake(this.#request.hello))])
  }

  #frame(): FramedSocket {
    const framed: FramedSocket = new FramedSocket(this.#socket, MAX_HANDSHAKE_BYTES, {
      frame: (payload) => this.#answer(framed, payload),
      broken: ({ code, reason }) => this.#refuse(framed, { code: 'no-handshake', reason }, code),
      // Told by the socket itself.
      closed: () => {},
    })
    return framed
  }

  #answer(framed: FramedSocket, payload: Uint8Array): void {
    const { hello, expected } = this.#request
    const welcome = readHandshake(payload, hello)
    if (isRefusal(welcome)) return this.#refuse(framed, welcome)
    const { from, role, channel, link } = welcome
    if (expected !== undefined && from !== expected) {
      return this.#refuse(framed, { code: 'identity', reason: `a handshake of ${show(from)}` })
    }
    if (role !== hello.role || channel !== hello.channel || link !== hello.link) {
      return this.#refuse(framed, { code: 'role', reason: `an answer for ${role}, ${channel}` })
    }
    if (this.#end()) this.#events.opened(framed, welcome)
  }

  /** What the other end has refused it knows already. */
  #refuse(framed: FramedSocket, refusal: HandshakeRefusal, code: DialFailure['code'] = refusal.code): void {
    if (!this.#end()) return
    if (refusal.code === 'remote') framed.destroy()
    else framed.refuse(encodeRefusal(refusal))
    const { reason, told } = refusal
    this.#events.failed(told === undefined ? { code, reason } : { code, reason, told })
  }

  #fail(failure: DialFailure): void {
    if (!this.#end()) return
    this.#socket.destroy()
    this.#events.failed({ ...failure, reason: `${formatAddress(this.#request.address)}: ${failure.reason}` })
  }

  /** Whether it was not over yet. */
  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#timers.clear(this.#timer)
    return true
  }
}

function failureOf(error: NodeJS.ErrnoException): DialFailure {
  const { code = '', message } = error
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return { code: 'unresolvable', reason: `no such host (${code})` }
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) return { code: 'tls', reason: code }
  if (code === 'ECONNRESET') return { code: 'closed', reason: 'the connection was reset before an answer' }
  return { code: 'unreachable', reason: code === '' ? message : code }
}
