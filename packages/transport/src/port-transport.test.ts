import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { LinkWindow } from '@troupe/actor'
import {
  ENTRY_HEADER_BYTES,
  type Entry,
  EntryKind,
  encodeEntry,
  type Identity,
  type Message,
} from '@troupe/core'
import {
  type Aside,
  codec,
  crc32,
  encodeAside,
  encodeHandshake,
  encodePeerFrame,
  helloOf,
} from '@troupe/wire'
import { PortTransport } from './port-transport.ts'
import { until } from './tcp/tcp.fixture.ts'

const GROUP = 1
const identityOf = (id: string, change: Partial<Identity> = {}): Identity => ({
  clusterId: 'cluster',
  group: GROUP,
  id,
  incarnation: 10 + Number(id.slice(1)),
  boot: 1,
  ...change,
})

const open = new Set<MessagePort>()
afterEach(async () => {
  for (const port of open) port.close()
  await until(() => open.size === 0)
})

/** A channel whose ports are closed when the test is over. */
function channel(): MessageChannel {
  const ports = new MessageChannel()
  for (const port of [ports.port1, ports.port2]) {
    open.add(port)
    port.once('close', () => open.delete(port))
  }
  return ports
}

/** A transport that writes down its events. */
class Node {
  readonly identity: Identity
  readonly events: string[] = []
  readonly messages: Message[] = []
  readonly asides: [from: string, aside: Aside][] = []
  /** Incarnation and boot of each peer that came up. */
  readonly starts: [incarnation: number, boot: number][] = []
  readonly transport: PortTransport

  constructor(identity: Identity, window?: LinkWindow) {
    this.identity = identity
    const note = (event: string) => (id: string) => void this.events.push(`${event} ${id}`)
    const events = {
      message: (message: Message) => void this.messages.push(message),
      aside: (id: string, aside: Aside) => void this.asides.push([id, aside]),
      peerUp: (id: string, incarnation: number, boot: number) => {
        this.events.push(`up ${id}`)
        this.starts.push([incarnation, boot])
      },
      peerGone: note('gone'),
      refused: (id: string, reason: string) => void this.events.push(`refused ${id}: ${reason}`),
    }
    this.transport = new PortTransport(identity, events, window)
  }
  has(event: string): boolean {
    return this.events.includes(event)
  }
  /** A heartbeat of this node. */
  heartbeat(to: string, commit = 0): Message {
    return { kind: 'heartbeat', ...this.#ends(to), commit, round: 0 }
  }
  append(to: string, bytes: number): Message {
    const kind = EntryKind.commands
    const header = { index: 1, term: 1, kind, timeMs: 0, commandCount: 1, configurationIndex: 0 }
    const entries: Entry[] = [encodeEntry(header, [new Uint8Array(bytes)], crc32)]
    return { kind: 'appendRequest', ...this.#ends(to), prevIndex: 0, prevTerm: 0, commit: 0, entries }
  }
  #ends(to: string) {
    const { id, incarnation, boot } = this.identity
    return {
      from: id,
      fromIncarnation: incarnation,
      fromBoot: boot,
      to,
      toIncarnation: 0,
      toBoot: 0,
      term: 1,
    }
  }
}

function join(left: Node, right: Node): void {
  const { port1, port2 } = channel()
  left.transport.add(right.identity.id, port1)
  right.transport.add(left.identity.id, port2)
}

async function joined(window?: LinkWindow): Promise<[Node, Node]> {
  const nodes: [Node, Node] = [new Node(identityOf('n1'), window), new Node(identityOf('n2'), window)]
  join(...nodes)
  await until(() => nodes[0].has('up n2') && nodes[1].has('up n1'))
  return nodes
}

describe('the mesh of ports between nodes', { timeout: 90_000 }, () => {
  it('shakes hands both ways and then carries messages both ways, in order', async () => {
    const [a, b] = await joined()
    for (let commit = 1; commit <= 50; commit++) a.transport.send([a.heartbeat('n2', commit)])
    b.transport.send([b.append('n1', 5000)])
    await until(() => b.messages.length === 50 && a.messages.length === 1)
    assert.deepEqual(
      b.messages.map((message) => message.kind === 'heartbeat' && message.commit),
      Array.from({ length: 50 }, (_, index) => index + 1),
    )
    const [append] = a.messages
    assert.ok(
      append?.kind === 'appendRequest' && append.entries[0]?.record.byteLength === ENTRY_HEADER_BYTES + 5000,
    )
    assert.deepEqual([a.events, b.events], [['up n2'], ['up n1']])
  })

  it('sends one frame for each peer and call', async () => {
    const [a, b] = await joined()
    const c = new Node(identityOf('n3'))
    join(a, c)
    await until(() => a.has('up n3') && c.has('up n1'))
    a.transport.send([a.heartbeat('n2', 1), a.heartbeat('n3', 2), a.heartbeat('n2', 3)])
    await until(() => b.messages.length === 2 && c.messages.length === 1)
    assert.equal(a.transport.metrics.framesSent, 2)
    assert.equal(b.transport.metrics.framesReceived, 1)
    const { bytesSent } = a.transport.metrics
    assert.equal(bytesSent, b.transport.metrics.bytesReceived + c.transport.metrics.bytesReceived)
  })

  it('carries what is beside the protocol, also of topics that nobody knows here', async () => {
    const [a, b] = await joined()
    a.transport.sendAside('n2', { topic: 1, body: ['news'] })
    a.transport.sendAside('n2', { topic: 4711, body: 'later' })
    a.transport.sendAside('n3', { topic: 1, body: [] })
    a.transport.send([a.heartbeat('n2')])
    await until(() => b.messages.length === 1)
    assert.deepEqual(b.asides, [
      ['n1', { topic: 1, body: ['news'] }],
      ['n1', { topic: 4711, body: 'later' }],
    ])
  })

  it('hangs up on a peer whose frame beside the protocol is damaged', async () => {
    const a = new Node(identityOf('n1'))
    const { port1, port2 } = channel()
    a.transport.add('n2', port1)
    port2.postMessage(encodeHandshake(helloOf(identityOf('n2'))))
    await until(() => a.has('up n2'))
    const frame = encodeAside({ topic: 1, body: ['news'] })
    frame[10] = (frame[10] as number) ^ 1
    port2.postMessage(frame)
    await until(() => a.has('gone n2'))
    assert.ok(a.has('refused n2: a damaged frame beside the protocol'))
  })

  it('hands over frames of a size that does not depend on what lies around a record', async () => {
    const [a, b] = await joined()
    const message = a.append('n2', 100)
    const before = message.kind === 'appendRequest' && Buffer.from(message.entries[0]?.record ?? [])
    a.transport.send([message])
    await until(() => b.messages.length === 1)
    // The leader's own record is still its own: the frame was moved, not the record.
    assert.deepEqual(
      message.kind === 'appendRequest' && Buffer.from(message.entries[0]?.record ?? []),
      before,
    )
  })

  describe('refuses, with a reason', () => {
    const strangers: [name: string, identity: Identity, there: RegExp, here: RegExp][] = [
      [
        'another cluster',
        identityOf('n2', { clusterId: 'other' }),
        /cluster .*cluster.*other/,
        /cluster .*other.*cluster/,
      ],
      ['another group', identityOf('n2', { group: 9 }), /group 1, here it is 9/, /group 9, here it is 1/],
    ]
    for (const [name, identity, there, here] of strangers) {
      it(`${name}, at both ends`, async () => {
        const [a, b] = [new Node(identityOf('n1')), new Node(identity)]
        join(a, b)
        await until(() => open.size === 0)
        assert.equal(a.events.length, 1)
        assert.equal(b.events.length, 1)
        assert.match(a.events[0] ?? '', /^refused n2: /)
        assert.match(a.events[0] ?? '', here)
        assert.match(b.events[0] ?? '', there)
        a.transport.send([a.heartbeat('n2')])
        assert.equal(a.transport.metrics.framesDropped, 1)
      })
    }

    it('a node that is not the one its port was given for; the other end sees the connection close', async () => {
      const [a, b] = [new Node(identityOf('n1')), new Node(identityOf('n7'))]
      const { port1, port2 } = channel()
      a.transport.add('n2', port1)
      b.transport.add('n1', port2)
      await until(() => open.size === 0 && b.has('gone n1'))
      assert.deepEqual(a.events, ['refused n2: a handshake of "n7"'])
      a.transport.send([a.heartbeat('n2'), a.heartbeat('n7')])
      assert.equal(a.transport.metrics.framesDropped, 2)
    })

    const sound = new Node(identityOf('n2'))
    const stranger = new Node(identityOf('n3'))
    const reborn = new Node(identityOf('n2', { incarnation: 99 }))
    const restarted = new Node(identityOf('n2', { boot: 2 }))
    const frames: [name: string, frames: Uint8Array[], reason: RegExp][] = [
      ['noise instead of a handshake', [Uint8Array.of(1, 2, 3)], /handshake/],
      ['a message before the handshake', [encodePeerFrame(GROUP, [sound.heartbeat('n1')])], /handshake/],
      ['another protocol version', [codec.encode(['troupe', 99, 99])], /protocol version 99/],
      ['a client', [encodeHandshake(helloOf(sound.identity, { role: 'client' }))], /a handshake of a client/],
      [
        'noise behind the handshake',
        [encodeHandshake(helloOf(sound.identity)), Uint8Array.of(9, 9)],
        /damaged/,
      ],
      [
        'a message in the name of another',
        [encodeHandshake(helloOf(sound.identity)), encodePeerFrame(GROUP, [stranger.heartbeat('n1')])],
        /a message from "n3"/,
      ],
      [
        'a message of another incarnation',
        [encodeHandshake(helloOf(sound.identity)), encodePeerFrame(GROUP, [reborn.heartbeat('n1')])],
        /a message of incarnation 99/,
      ],
      [
        'a message of another start',
        [encodeHandshake(helloOf(sound.identity)), encodePeerFrame(GROUP, [restarted.heartbeat('n1')])],
        /a message of boot 2/,
      ],
      [
        'a message to another',
        [encodeHandshake(helloOf(sound.identity)), encodePeerFrame(GROUP, [sound.heartbeat('n3')])],
        /a message to "n3"/,
      ],
      [
        'a message of another group',
        [encodeHandshake(helloOf(sound.identity)), encodePeerFrame(9, [sound.heartbeat('n1')])],
        /group 9/,
      ],
    ]
    for (const [name, list, reason] of frames) {
      it(`${name}, and hears no more of that connection`, async () => {
        const node = new Node(identityOf('n1'))
        const { port1, port2 } = channel()
        node.transport.add('n2', port1)
        for (const frame of list) port2.postMessage(frame)
        port2.postMessage(encodePeerFrame(GROUP, [sound.heartbeat('n1')]))
        port2.start()
        await until(() => open.size === 0)
        const refused = node.events.filter((event) => event.startsWith('refused'))
        assert.equal(refused.length, 1)
        assert.match(refused[0] ?? '', reason)
        assert.deepEqual(node.messages, [])
        const isKnown = list.length > 1
        assert.equal(node.has('up n2'), isKnown)
        assert.equal(node.has('gone n2'), isKnown)
      })
    }

    it('what breaks the protocol of links', async () => {
      const node = new Node(identityOf('n1'))
      const { port1, port2 } = channel()
      node.transport.add('n2', port1)
      port2.postMessage(encodeHandshake(helloOf(sound.identity)))
      port2.postMessage('a string')
      port2.start()
      await until(() => open.size === 0)
      assert.match(node.events.join('; '), /up n2; refused n2: a message that is no frame; gone n2/)
    })
  })

  it('takes any node of the cluster and group, whatever its incarnation and boot, and tells them', async () => {
    const a = new Node(identityOf('n1'))
    const others = [identityOf('n7'), identityOf('n2', { incarnation: 99, boot: 2 ** 50 })]
    for (const identity of others) join(a, new Node(identity))
    await until(() => a.starts.length === 2)
    assert.deepEqual(a.starts, [
      [17, 1],
      [99, 2 ** 50],
    ])
  })

  it('hands over all messages of a connection before it tells that the peer is gone', async () => {
    const [a, b] = await joined()
    const order: (number | string)[] = []
    const { messages, events } = b
    messages.push = (message) => order.push(message.kind === 'heartbeat' ? message.commit : message.kind)
    events.push = (event) => order.push(event)
    for (let commit = 1; commit <= 200; commit++) a.transport.send([a.heartbeat('n2', commit)])
    a.transport.close()
    await until(() => order.at(-1) === 'gone n1')
    assert.deepEqual(order, [...Array.from({ length: 200 }, (_, index) => index + 1), 'gone n1'])
  })

  it('tells when a peer is gone, once, and drops and counts what is sent to it', async () => {
    const [a, b] = await joined()
    b.transport.close()
    await until(() => a.has('gone n2') && b.has('gone n1'))
    a.transport.send([a.heartbeat('n2'), a.heartbeat('n3')])
    a.transport.close()
    a.transport.drained()
    assert.equal(a.transport.metrics.framesDropped, 2)
    assert.deepEqual(
      [a.events, b.events],
      [
        ['up n2', 'gone n2'],
        ['up n1', 'gone n1'],
      ],
    )
  })

  it('drops and counts what is sent before the handshake', async () => {
    const [a, b] = [new Node(identityOf('n1')), new Node(identityOf('n2'))]
    join(a, b)
    a.transport.send([a.heartbeat('n2')])
    assert.equal(a.transport.metrics.framesDropped, 1)
    await until(() => a.has('up n2') && b.has('up n1'))
    assert.deepEqual(b.messages, [])
  })

  it('lets a later connection replace an earlier one, and does not call the peer gone', async () => {
    const [a, b] = await joined()
    join(a, b)
    await until(() => a.events.length === 2 && b.events.length === 2 && open.size === 2)
    assert.deepEqual(
      [a.events, b.events],
      [
        ['up n2', 'up n2'],
        ['up n1', 'up n1'],
      ],
    )
    a.transport.send([a.heartbeat('n2')])
    b.transport.send([b.heartbeat('n1')])
    await until(() => a.messages.length === 1 && b.messages.length === 1)
    a.transport.close()
    await until(() => a.has('gone n2') && b.has('gone n1'))
    assert.equal(a.events.length, 3)
  })

  it('welcomes a peer that comes back after it was gone', async () => {
    const [a, b] = await joined()
    b.transport.close()
    await until(() => a.has('gone n2'))
    const again = new Node(identityOf('n2', { boot: 2 }))
    join(a, again)
    await until(() => a.events.length === 3 && again.has('up n1'))
    a.transport.send([a.heartbeat('n2', 7)])
    await until(() => again.messages.length === 1)
    assert.deepEqual(a.events, ['up n2', 'gone n2', 'up n2'])
    assert.deepEqual(a.starts, [
      [12, 1],
      [12, 2],
    ])
  })

  it('drops and counts what a peer has no room for, until that has drained its mailbox', async () => {
    const [a, b] = await joined({ maxUnreadMessages: 4, maxUnreadBytes: 1 << 20 })
    b.transport.drained()
    for (let commit = 0; commit < 10; commit++) a.transport.send([a.heartbeat('n2', commit)])
    const { framesSent, framesDropped } = a.transport.metrics
    assert.equal(framesSent + framesDropped, 10)
    assert.ok(framesSent >= 3 && framesSent <= 4)
    await until(() => b.messages.length === framesSent)
    b.transport.drained()
    // Credit comes back by itself: whatever a peer wants to send can leave, again and again.
    for (let round = 1; round <= 20; round++) {
      const before = b.messages.length
      await until(() => {
        a.transport.send([a.heartbeat('n2', round)])
        return b.messages.length > before
      })
      b.transport.drained()
    }
  })

  it('lets a frame larger than the whole window go alone', async () => {
    const [a, b] = await joined({ maxUnreadMessages: 4, maxUnreadBytes: 1000 })
    for (let round = 1; round <= 3; round++) {
      await until(() => {
        b.transport.drained()
        a.transport.send([a.append('n2', 50_000)])
        return b.messages.length >= round
      })
    }
    assert.ok(!a.has('gone n2'))
  })
})
