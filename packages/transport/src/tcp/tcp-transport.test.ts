import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import type { Identity, Message } from '@troupe/core'
import type { Aside } from '@troupe/wire'
import type { Address } from './address.ts'
import { dial } from './dial.ts'
import { append, heartbeat, identityOf, until } from './tcp.fixture.ts'
import { TcpListener } from './tcp-listener.ts'
import { TcpTransport, type TcpTransportOptions } from './tcp-transport.ts'

const open = new Set<Node>()
afterEach(async () => {
  for (const node of open) await node.close()
})

/** A transport and its listener, and what they tell. */
class Node {
  readonly identity: Identity
  readonly events: string[] = []
  readonly messages: Message[] = []
  readonly asides: [from: string, aside: Aside][] = []
  readonly transport: TcpTransport
  listener: TcpListener | undefined

  static async start(
    identity: Identity,
    options: Partial<TcpTransportOptions> = {},
    port = 0,
  ): Promise<Node> {
    const node = new Node(identity, options)
    node.listener = await TcpListener.open(
      { identity, listen: { host: '127.0.0.1', port } },
      {
        checkPeer: (handshake) => node.transport.checkPeer(handshake),
        peer: (framed, handshake) => node.transport.accept(framed, handshake),
        refused: ({ code, reason }) => node.events.push(`turned away: ${code}, ${reason}`),
      },
    )
    return node
  }

  private constructor(identity: Identity, options: Partial<TcpTransportOptions>) {
    open.add(this)
    this.identity = identity
    const backoff = { initialMs: 1, maxMs: 5 }
    this.transport = new TcpTransport(
      { identity, backoff, ...options },
      {
        message: (message) => this.messages.push(message),
        aside: (id, aside) => this.asides.push([id, aside]),
        peerUp: (id, incarnation, boot) => this.events.push(`up ${id} ${incarnation}/${boot}`),
        peerGone: (id) => this.events.push(`gone ${id}`),
        refused: (id, reason) => this.events.push(`refused ${id}: ${reason}`),
      },
    )
  }

  get address(): Address {
    return this.listener?.address ?? { host: '127.0.0.1', port: 1 }
  }

  knows(...others: Node[]): void {
    for (const { identity, address } of others) this.transport.addPeer(identity.id, address)
  }

  has(event: string): boolean {
    return this.events.includes(event)
  }

  count(event: string): number {
    return this.events.filter((each) => each.startsWith(event)).length
  }

  async close(): Promise<void> {
    open.delete(this)
    await this.transport.close()
    await this.listener?.close()
  }
}

async function joined(options: Partial<TcpTransportOptions> = {}): Promise<[Node, Node]> {
  const nodes: [Node, Node] = [
    await Node.start(identityOf('n1'), options),
    await Node.start(identityOf('n2'), options),
  ]
  nodes[0].knows(nodes[1])
  nodes[1].knows(nodes[0])
  await until(() => nodes[0].has('up n2 12/1') && nodes[1].has('up n1 11/1'))
  return nodes
}

const commitsOf = (messages: readonly Message[]): (number | string)[] =>
  messages.map((message) => ('commit' in message ? message.commit : message.kind))

describe('the mesh of TCP links between nodes', { timeout: 20_000 }, () => {
  it('shakes hands and then carries messages both ways, each kind in order', async () => {
    const [a, b] = await joined()
    for (let commit = 1; commit <= 50; commit++) a.transport.send([heartbeat(a.identity, 'n2', commit)])
    b.transport.send([append(b.identity, 'n1', 100_000, 7)])
    await until(() => b.messages.length === 50 && a.messages.length === 1)
    assert.deepEqual(
      commitsOf(b.messages),
      Array.from({ length: 50 }, (_, index) => index + 1),
    )
    assert.deepEqual(commitsOf(a.messages), [7])
    assert.deepEqual([a.events, b.events], [['up n2 12/1'], ['up n1 11/1']])
    const { framesSent, bytesSent, links } = a.transport.metrics
    assert.deepEqual([framesSent, links, b.transport.metrics.framesReceived], [50, 1, 50])
    assert.equal(b.transport.metrics.bytesReceived, bytesSent - 50 * 12)
  })

  it('carries what is beside the protocol, also of topics that nobody knows here', async () => {
    const [a, b] = await joined()
    a.transport.sendAside('n2', { topic: 1, body: ['news'] })
    a.transport.sendAside('n2', { topic: 4711, body: 'later' })
    a.transport.sendAside('n3', { topic: 1, body: [] })
    await until(() => b.asides.length === 2)
    assert.deepEqual(b.asides, [
      ['n1', { topic: 1, body: ['news'] }],
      ['n1', { topic: 4711, body: 'later' }],
    ])
    assert.deepEqual([a.transport.metrics.framesSent, b.transport.metrics.framesReceived], [2, 2])
  })

  it('makes one link of two connections, whoever starts first', async () => {
    const [a, b] = await joined()
    assert.equal((a.listener?.metrics.accepted ?? 0) + (b.listener?.metrics.accepted ?? 0) >= 2, true)
    assert.deepEqual([a.transport.metrics.links, b.transport.metrics.links], [1, 1])
    assert.equal(a.count('up'), 1)
    assert.equal(b.count('up'), 1)
  })

  it('takes a node whose address it does not know', async () => {
    const [a, b] = [await Node.start(identityOf('n1')), await Node.start(identityOf('n2'))]
    a.knows(b)
    await until(() => a.has('up n2 12/1') && b.has('up n1 11/1'))
    b.transport.send([heartbeat(b.identity, 'n1', 3)])
    await until(() => a.messages.length === 1)
  })

  it('is asked for a link by a node that dials nobody, without waiting for the next attempt', async () => {
    const a = await Node.start(identityOf('n1'), { backoff: { initialMs: 3_600_000, maxMs: 3_600_000 } })
    const gone = await Node.start(identityOf('n2'))
    const { address } = gone
    await gone.close()
    a.transport.addPeer('n2', address)
    await until(() => a.count('refused') === 1)
    const b = await Node.start(identityOf('n2', { boot: 2 }), {}, address.port)
    b.knows(a)
    await until(() => a.has('up n2 12/2') && b.has('up n1 11/1'))
  })

  it('tells when a peer is gone, behind all that it has sent, and drops and counts what is sent to it', async () => {
    const [a, b] = await joined({ backoff: { initialMs: 1000, maxMs: 1000 } })
    const order: (number | string)[] = []
    const { messages, events } = b
    messages.push = (message) => order.push(...commitsOf([message]))
    events.push = (event) => order.push(event)
    for (let commit = 1; commit <= 200; commit++) a.transport.send([heartbeat(a.identity, 'n2', commit)])
    await a.close()
    await until(() => order.at(-1) === 'gone n1')
    assert.deepEqual(order, [...Array.from({ length: 200 }, (_, index) => index + 1), 'gone n1'])
    assert.deepEqual(a.events, ['up n2 12/1', 'gone n2'])
    b.transport.send([heartbeat(b.identity, 'n1'), heartbeat(b.identity, 'n7')])
    assert.equal(b.transport.metrics.framesDropped, 2)
  })

  it('reaches a peer that comes back, and tells its new start', async () => {
    const [a, b] = await joined()
    const { port } = b.address
    await b.close()
    await until(() => a.has('gone n2'))
    const again = await Node.start(identityOf('n2', { boot: 2 }), {}, port)
    await until(() => a.has('up n2 12/2') && again.has('up n1 11/1'))
    a.transport.send([heartbeat(a.identity, 'n2', 9)])
    await until(() => again.messages.length === 1)
    assert.equal(a.count('gone'), 1)
    assert.equal(a.count('turned away'), 0)
  })

  it('lets a later link replace an earlier one, and does not call the peer gone', async () => {
    const [a, b] = await joined()
    // A second process of the same name and boot, as it seems from here: the first is not heard any more.
    const twin = await Node.start(identityOf('n1', { boot: 2 }))
    twin.knows(b)
    await until(() => b.has('up n1 11/2') && twin.has('up n2 12/1'))
    b.transport.send([heartbeat(b.identity, 'n1', 5)])
    await until(() => twin.messages.length === 1)
    assert.equal(b.count('gone'), 0)
    assert.deepEqual(a.messages, [])
    await a.close()
  })

  it('hears nothing more of a link that was replaced', async () => {
    const [a, b] = await joined({ backoff: { initialMs: 1000, maxMs: 1000 } })
    const twin = await Node.start(identityOf('n1', { boot: 2 }))
    for (let commit = 1; commit <= 20; commit++) a.transport.send([heartbeat(a.identity, 'n2', commit)])
    twin.knows(b)
    await until(() => b.has('up n1 11/2') && a.has('gone n2'))
    const before = b.messages.length
    a.transport.send([heartbeat(a.identity, 'n2', 99)])
    twin.transport.send([heartbeat(twin.identity, 'n2', 100)])
    await until(() => b.messages.length > before)
    assert.deepEqual(commitsOf(b.messages.slice(before)), [100])
  })

  it('closes the link to a peer that is removed, and reaches it no more', async () => {
    const [a, b] = await joined()
    a.transport.removePeer('n2')
    b.transport.removePeer('n1')
    await until(() => a.has('gone n2') && b.has('gone n1'))
    assert.deepEqual([a.transport.metrics.links, b.transport.metrics.links], [0, 0])
  })

  it('holds a peer that sends faster than the mailbox is drained, and loses nothing of it', async () => {
    const [a, b] = await joined({ window: { maxUnreadFrames: 4, maxUnreadBytes: 1 << 20 } })
    for (let commit = 1; commit <= 40; commit++) {
      a.transport.send([append(a.identity, 'n2', 300_000, commit)])
    }
    // Long enough for all of them to come, where nobody held them.
    for (let turn = 0; turn < 3000 && b.messages.length < 40; turn++) await new Promise(setImmediate)
    assert.ok(b.messages.length >= 3 && b.messages.length < 10, `${b.messages.length} at once`)
    while (b.messages.length < 40) {
      b.transport.drained()
      await new Promise(setImmediate)
    }
    assert.deepEqual(
      commitsOf(b.messages),
      Array.from({ length: 40 }, (_, index) => index + 1),
    )
  })

  it('closes with attempts under way, and leaves nothing behind', async () => {
    const a = await Node.start(identityOf('n1'))
    const b = await Node.start(identityOf('n2'))
    a.knows(b)
    b.knows(a)
    await Promise.all([a.close(), b.close()])
    assert.deepEqual([a.transport.metrics.links, b.transport.metrics.links], [0, 0])
  })

  describe('refuses, with a reason at both ends', () => {
    const cases: [name: string, identity: Identity, there: RegExp, here: RegExp][] = [
      [
        'another cluster',
        identityOf('n2', { clusterId: 'other' }),
        /cluster "cluster", here it is "other"/,
        /refused there: cluster/,
      ],
      [
        'another group',
        identityOf('n2', { group: 9 }),
        /group, group 1, here it is 9/,
        /refused there: group 1, here it is 9/,
      ],
      [
        'a node of another name',
        identityOf('n7'),
        /identity, a handshake for "n2", here it is "n7"/,
        /refused there: a handshake for "n2"/,
      ],
      [
        'itself',
        identityOf('n1'),
        /identity, a node with the name "n1"/,
        /refused there: a node with the name "n1" of this one/,
      ],
    ]
    for (const [name, identity, there, here] of cases) {
      it(name, async () => {
        const [a, b] = [await Node.start(identityOf('n1')), await Node.start(identity)]
        a.transport.addPeer('n2', b.address)
        await until(() => a.count('refused') > 0 && b.count('turned away') > 1)
        assert.match(a.events[0] ?? '', here)
        assert.ok(
          b.events.some((event) => there.test(event)),
          b.events.join('; '),
        )
        // Attempts go on, and are not told again and again.
        await until(() => a.transport.metrics.failedAttempts > 2)
        assert.equal(a.count('refused'), 1)
        assert.equal(a.count('up'), 0)
        assert.equal(b.count('up'), 0)
      })
    }

    it('a connection for the wrong channel', async () => {
      const b = await Node.start(identityOf('n2'))
      const outcomes: string[] = []
      const request = { address: b.address, expected: 'n2' }
      const hello = {
        role: 'peer',
        clusterId: 'cluster',
        groups: [1],
        incarnation: 1,
        boot: 1,
        link: 1,
        token: '',
        to: '',
      } as const
      const events = {
        opened: () => assert.fail('was taken'),
        failed: ({ reason }: { reason: string }) => outcomes.push(reason),
      }
      dial({ ...request, hello: { ...hello, from: 'n1', channel: 'all' } }, events)
      dial({ ...request, hello: { ...hello, from: 'n3', channel: 'urgent' } }, events)
      dial({ ...request, hello: { ...hello, from: 'n1', channel: 'knock' } }, events)
      await until(() => outcomes.length === 3)
      assert.match(outcomes.join('; '), /peers have two here/)
      assert.equal(outcomes.filter((reason) => /the smaller name dials/.test(reason)).length, 2)
    })
  })
})
