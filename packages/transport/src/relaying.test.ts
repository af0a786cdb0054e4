import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { LinkWindow } from '@troupe/actor'
import { type Identity, type Message, plannedLinks, planOverlay } from '@troupe/core'
import { type Aside, encodeHandshake, encodePeerFrame, helloOf } from '@troupe/wire'
import { defaultPeerWindow, PortTransport } from './port-transport.ts'
import { until } from './tcp/tcp.fixture.ts'

const GROUP = 1
const plan = planOverlay('ring', ['n1', 'n2', 'n3', 'n4', 'n5'])

const open = new Set<MessagePort>()
afterEach(async () => {
  for (const port of open) port.close()
  await until(() => open.size === 0)
})

/** A node on a ring that writes down what its transport tells it. */
class Node {
  readonly identity: Identity
  readonly messages: Message[] = []
  readonly events: string[] = []
  readonly asides: [from: string, body: unknown][] = []
  readonly reached = new Set<string>()
  readonly transport: PortTransport

  constructor(id: string, boot = 1, window: LinkWindow = defaultPeerWindow) {
    this.identity = { clusterId: 'cluster', group: GROUP, id, incarnation: 10 + Number(id.slice(1)), boot }
    const note = (event: string): void => void this.events.push(event)
    const events = {
      message: (message: Message) => {
        this.messages.push(message)
        this.transport.drained()
      },
      aside: (id: string, { body }: Aside) => void this.asides.push([id, body]),
      peerUp: (id: string, incarnation: number, start: number) => {
        this.reached.add(id)
        note(`up ${id} ${incarnation}.${start}`)
      },
      peerGone: (id: string) => {
        this.reached.delete(id)
        note(`gone ${id}`)
      },
      refused: (id: string, reason: string) => note(`refused ${id}: ${reason}`),
    }
    this.transport = new PortTransport(this.identity, events, window, plan)
  }

  heartbeat(to: string, commit = 0): Message {
    const { id: from, incarnation: fromIncarnation, boot: fromBoot } = this.identity
    const ends = { from, fromIncarnation, fromBoot, to, toIncarnation: 0, toBoot: 0 }
    return { kind: 'heartbeat', ...ends, term: 1, commit, round: 0 }
  }
}

function join(left: Node, right: Node): void {
  const { port1, port2 } = new MessageChannel()
  for (const port of [port1, port2]) {
    open.add(port)
    port.once('close', () => open.delete(port))
  }
  left.transport.add(right.identity.id, port1)
  right.transport.add(left.identity.id, port2)
}

async function ring(window?: LinkWindow): Promise<Map<string, Node>> {
  const nodes = new Map(plan.nodes.map((id) => [id, new Node(id, 1, window)]))
  for (const [a, b] of plannedLinks(plan)) join(nodes.get(a) as Node, nodes.get(b) as Node)
  await until(() => [...nodes.values()].every(({ reached }) => reached.size === 4))
  return nodes
}

describe('ports between the nodes of a ring', { timeout: 90_000 }, () => {
  it('carry messages to everybody, over others, and tell of everybody under the start that it is', async () => {
    const nodes = await ring()
    for (const from of nodes.values()) {
      assert.deepEqual(
        [...from.events].sort(),
        plan.nodes.filter((id) => id !== from.identity.id).map((id) => `up ${id} 1${id.slice(1)}.1`),
      )
      from.transport.send(plan.nodes.filter((id) => id !== from.identity.id).map((id) => from.heartbeat(id)))
    }
    await until(() => [...nodes.values()].every(({ messages }) => messages.length === 4))
    const relayed = [...nodes.values()].map(({ transport }) => transport.metrics.framesRelayed ?? 0)
    // Each of the ten frames for somebody who is no neighbour was passed on once.
    assert.equal(
      relayed.reduce((sum, count) => sum + count, 0),
      10,
    )
  })

  it('carry news beside the protocol to everybody, from whom they are', async () => {
    const nodes = await ring()
    const [n1, n3, n5] = ['n1', 'n3', 'n5'].map((id) => nodes.get(id) as Node) as [Node, Node, Node]
    for (const to of ['n3', 'n5']) n1.transport.sendAside(to, { topic: 1, body: ['news', to] })
    await until(() => n3.asides.length === 1 && n5.asides.length === 1)
    assert.deepEqual([n3.asides, n5.asides], [[['n1', ['news', 'n3']]], [['n1', ['news', 'n5']]]])
  })

  it('pass on any number of frames: what a relay has passed on does not fill the window of its neighbour', async () => {
    const nodes = await ring({ maxUnreadMessages: 16, maxUnreadBytes: 1 << 20 })
    const [n1, n3] = [nodes.get('n1') as Node, nodes.get('n3') as Node]
    for (let commit = 1; commit <= 200; commit++) {
      n1.transport.send([n1.heartbeat('n3', commit)])
      await until(() => n3.messages.length === commit)
    }
    assert.equal(nodes.get('n2')?.transport.metrics.framesRelayed, 200)
  })

  it('go the other way round when a relay ends, and tell all others that it is gone', async () => {
    const nodes = await ring()
    nodes.get('n2')?.transport.close()
    const others = ['n1', 'n3', 'n4', 'n5'].map((id) => nodes.get(id) as Node)
    await until(() => others.every(({ reached }) => !reached.has('n2')))
    const [n1, n3] = others as [Node, Node]
    n1.transport.send([n1.heartbeat('n3')])
    await until(() => n3.messages.length === 1)
    assert.equal(nodes.get('n4')?.transport.metrics.framesRelayed, 1)
    n1.transport.send([n1.heartbeat('n2')])
    assert.equal(n1.transport.metrics.framesDropped, 1)
    // It comes back as another start.
    const again = new Node('n2', 2)
    for (const neighbour of [n1, n3]) join(again, neighbour)
    await until(() => again.reached.size === 4 && others.every(({ reached }) => reached.has('n2')))
    assert.ok(others.every(({ events }) => events.includes('up n2 12.2')))
  })

  it('close where a neighbour sends what is none of its frames', async () => {
    const node = new Node('n1')
    const stranger = new Node('n2')
    const { port1, port2 } = new MessageChannel()
    for (const port of [port1, port2]) open.add(port.once('close', () => open.delete(port)))
    node.transport.add('n2', port1)
    // A frame as it is in a mesh, without the header of an overlay.
    for (const bytes of [
      encodeHandshake(helloOf(stranger.identity)),
      encodePeerFrame(GROUP, [stranger.heartbeat('n1')]),
    ]) {
      port2.postMessage(bytes)
    }
    await until(() => node.events.some((event) => event.startsWith('refused n2')))
    await until(() => node.events.includes('gone n2'))
    assert.deepEqual(node.messages, [])
  })
})
