/**
 * A client's way to the nodes over TCP: from any node it learns where all are, and keeps a connection to each.
 *
 *     seeds ─► attempt ─► welcome: who it is, where the others are ─► link ─► ... closed ─► attempt, after a wait
 *                 └─ failed: again after a wait, longer each time
 *
 * A node may be known by several addresses (a seed's name, what it says of itself): one link to each node is enough, the
 * other addresses rest while it stands.
 */
import { type Durability, invalidOption, type NodeId, RaftError } from '@troupe/core'
import {
  type Address,
  Backoff,
  Credentials,
  type DialFailure,
  dial,
  type FramedSocket,
  formatAddress,
  frameBuffers,
  parseAddress,
  type TlsFiles,
  trustOnly,
} from '@troupe/transport'
import { type Handshake, type Hello, MAX_PEER_FRAME_BYTES } from '@troupe/wire'
import type { ClientLink, ClientLinkEvents, ClientLinks } from './client-links.ts'
import { clientWindow } from './client-ports.ts'

/** How a client or operator reaches a cluster over TCP, and proves who it is. */
export interface DialSettings {
  /** With a certificate of the cluster's authority; or just the authority's, for whoever has a token. @default no TLS */
  readonly tls?: TlsFiles | Pick<TlsFiles, 'authority'>
  /** @default none */
  readonly token?: string
  /** The cluster's name; another one is refused. @default whichever answers first, and that one from then on */
  readonly cluster?: string
  /** For the first connection, in ms. @default 10,000 */
  readonly connectTimeoutMs?: number
  /**
   * Whether what nodes say of where the others are is used. Not where nodes are reached otherwise from here than from each
   * other, as through proxies: then the seeds are all there is. @default true
   */
  readonly discovers?: boolean
}

const CONNECT_TIMEOUT_MS = 10_000

/** What another attempt does not change. */
const FINAL: ReadonlySet<string> = new Set(['cluster', 'version', 'token', 'certificate', 'group'])

/** An address, and what is going on there. */
interface Target {
  readonly address: Address
  readonly isSeed: boolean
  readonly backoff: Backoff
  /** Who has answered there. */
  node: NodeId | undefined
  state: 'idle' | 'attempting' | 'waiting' | 'linked'
  cancel: () => void
  failure: DialFailure | undefined
  /** What it has told, when it was reached last. */
  durability: Durability | undefined
}

const WEAKEST_FIRST: readonly Durability[] = ['memory', 'acked-before-flush', 'flush-before-ack']

export class NodeDialer implements ClientLinks {
  readonly #role: 'client' | 'control'
  readonly #settings: DialSettings
  readonly #credentials: Pick<Credentials, 'context'> | undefined
  readonly #targets = new Map<string, Target>()
  readonly #linked = new Map<NodeId, Target>()
  #cluster: string
  #events: ClientLinkEvents | undefined
  #isClosed = false
  readonly #first = Promise.withResolvers<void>()

  /** @throws RaftError INVALID_OPTIONS for seeds that are no addresses, and for TLS files that do not fit */
  constructor(role: 'client' | 'control', seeds: readonly string[], settings: DialSettings) {
    if (!Array.isArray(seeds) || seeds.length === 0)
      throw invalidOption('seeds', seeds, 'a list of host:port of one node or more')
    this.#role = role
    this.#settings = settings
    this.#cluster = settings.cluster ?? ''
    this.#credentials = credentialsOf(settings)
    // Not waited for by everybody.
    this.#first.promise.catch(() => {})
    seeds.forEach((seed, index) => {
      this.#add(parseAddress(String(seed), `seeds[${index}]`), true)
    })
  }

  get nodes(): Iterable<NodeId> {
    const nodes = Array.from(this.#targets.values(), ({ node }) => node)
    return new Set(nodes.filter((node) => node !== undefined))
  }

  get durability(): Durability | undefined {
    const told = new Set(Array.from(this.#targets.values(), ({ durability }) => durability))
    return WEAKEST_FIRST.find((each) => told.has(each))
  }

  /** A node that nobody has named yet. */
  learn(node: NodeId, address: string): void {
    this.#add(parseAddress(address), true, node)
    this.#attemptAll()
  }

  /** Whoever has removed it names it no more. Its link is the owner's to close. */
  forget(node: NodeId): void {
    for (const [key, target] of this.#targets) {
      if (target.node !== node) continue
      target.cancel()
      this.#targets.delete(key)
    }
  }

  start(events: ClientLinkEvents): void {
    this.#events = events
    this.#attemptAll()
  }

  /**
   * Resolves with the first connection.
   * @throws RaftError NODE_UNAVAILABLE where none comes in time, or every seed refuses for good
   */
  async connected(): Promise<void> {
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#settings
    const timer = setTimeout(() => this.#first.reject(this.#unreachable()), connectTimeoutMs)
    try {
      await this.#first.promise
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#isClosed = true
    for (const { cancel } of this.#targets.values()) cancel()
    this.#first.reject(this.#unreachable())
    if (this.#credentials instanceof Credentials) this.#credentials.close()
  }

  // ---- addresses

  #add(address: Address, isSeed: boolean, node?: NodeId): void {
    const key = formatAddress(address)
    const known = this.#targets.get(key)
    if (known !== undefined) {
      known.node ??= node
      return
    }
    const backoff = new Backoff({}, Math.random)
    const rest = { state: 'idle', cancel: () => {}, failure: undefined, durability: undefined } as const
    this.#targets.set(key, { address, isSeed, backoff, node, ...rest })
  }

  /** What a node says of where the others are. An address that nobody names any more is forgotten. */
  #learn(nodes: Handshake['nodes'] = []): void {
    const named = new Set<string>()
    for (const [id, text] of nodes) {
      try {
        const address = parseAddress(text)
        named.add(formatAddress(address))
        this.#add(address, false, id)
      } catch {
        // A node may know of an address that this release cannot read: there are others.
      }
    }
    for (const [key, { isSeed, state, cancel }] of this.#targets) {
      if (isSeed || state === 'linked' || named.has(key)) continue
      cancel()
      this.#targets.delete(key)
    }
  }

  // ---- attempts

  #attemptAll(): void {
    for (const target of this.#targets.values()) {
      const { state, node } = target
      if (state === 'idle' && (node === undefined || !this.#linked.has(node))) this.#attempt(target)
    }
  }

  #attempt(target: Target): void {
    if (this.#isClosed) return
    target.state = 'attempting'
    const { address } = target
    target.cancel = dial(
      { address, hello: this.#hello, credentials: this.#credentials },
      {
        opened: (connection, welcome) => this.#opened(target, connection, welcome),
        failed: (failure) => this.#failed(target, failure),
      },
    )
  }

  get #hello(): Hello {
    const { token = '' } = this.#settings
    const nobody = { from: '', incarnation: 0, boot: 0, link: 0, to: '' }
    return { ...nobody, role: this.#role, clusterId: this.#cluster, groups: [], channel: 'all', token }
  }

  #failed(target: Target, failure: DialFailure): void {
    target.failure = failure
    this.#wait(target)
    const failures = Array.from(this.#targets.values(), (each) => each.failure)
    if (failures.every(isFinal)) this.#first.reject(this.#unreachable())
  }

  #wait(target: Target): void {
    if (this.#isClosed) return
    target.state = 'waiting'
    const timer = setTimeout(() => {
      target.state = 'idle'
      this.#attemptAll()
    }, target.backoff.nextMs())
    target.cancel = () => clearTimeout(timer)
  }

  #unreachable(): RaftError<'NODE_UNAVAILABLE'> {
    const targets = [...this.#targets.values()]
    const reasons = targets.map(({ address, failure }) => {
      const at = formatAddress(address)
      const reason = failure?.reason ?? 'no answer yet'
      return reason.startsWith(at) ? reason : `${at}: ${reason}`
    })
    const node = targets.map(({ address }) => formatAddress(address)).join(', ')
    const reason = reasons.join('; ')
    return new RaftError('NODE_UNAVAILABLE', `no node was reached: ${reason}`, { node, reason })
  }

  // ---- links

  #opened(target: Target, connection: FramedSocket, welcome: Handshake): void {
    const { from, clusterId, nodes, durability } = welcome
    target.node = from
    target.failure = undefined
    target.durability = durability
    target.backoff.reset()
    this.#cluster = clusterId
    if (this.#linked.has(from)) {
      // Its other address has been faster. What the connection has is left to its end.
      target.state = 'idle'
      connection.handlers = { frame: () => {}, broken: () => {}, closed: () => {} }
      return connection.close()
    }
    target.state = 'linked'
    this.#linked.set(from, target)
    this.#link(target, from, connection)
    this.#first.resolve()
    if (this.#settings.discovers !== false) this.#learn(nodes)
    this.#attemptAll()
  }

  #link(target: Target, node: NodeId, connection: FramedSocket): void {
    const events = this.#events as ClientLinkEvents
    const link = new SocketLink(connection, () => events.writable())
    const { maxUnreadMessages: maxUnreadFrames, maxUnreadBytes } = clientWindow
    connection.open(MAX_PEER_FRAME_BYTES, { maxUnreadFrames, maxUnreadBytes })
    connection.handlers = {
      frame: (frame) => {
        connection.drained()
        events.frame(node, link, frame)
      },
      broken: () => connection.destroy(),
      closed: () => {
        this.#linked.delete(node)
        events.closed(node, link)
        // Not where it was forgotten.
        if (this.#targets.get(formatAddress(target.address)) === target) this.#wait(target)
        this.#attemptAll()
      },
    }
    events.opened(node, link)
  }
}

/** What a client may have unsent at its own end. */
const MAX_UNSENT_BYTES = clientWindow.maxUnreadBytes

class SocketLink implements ClientLink {
  readonly #connection: FramedSocket
  readonly #writable: () => void
  #isWaiting = false

  constructor(connection: FramedSocket, writable: () => void) {
    this.#connection = connection
    this.#writable = writable
    connection.socket.on('drain', () => {
      if (!this.#isWaiting) return
      this.#isWaiting = false
      this.#writable()
    })
  }

  /** A frame larger than the whole bound goes alone. */
  send(frame: Uint8Array): boolean {
    const { unsentBytes, isClosed } = this.#connection
    if (isClosed) return false
    if (unsentBytes > 0 && unsentBytes + frame.byteLength > MAX_UNSENT_BYTES) {
      this.#isWaiting = true
      return false
    }
    this.#connection.send(frameBuffers(frame))
    return true
  }

  close(): void {
    this.#connection.close()
  }
}

const isFinal = (failure: DialFailure | undefined): boolean =>
  failure !== undefined && FINAL.has(failure.told ?? failure.code)

function credentialsOf({ tls }: DialSettings): Pick<Credentials, 'context'> | undefined {
  if (tls === undefined) return undefined
  if (typeof tls !== 'object' || tls === null) throw invalidOption('tls', tls, 'paths of PEM files')
  if (!('certificate' in tls)) return trustOnly(tls.authority)
  const credentials = new Credentials(tls)
  credentials.watch()
  return credentials
}
