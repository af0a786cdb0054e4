/** The port between a cluster and a client of it, in whatever thread that is: it brings the client ports to the nodes. */
import { MessageChannel, MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { type ActorHandle, attach, Link } from '@troupe/actor'
import { type Durability, invalidOption, type NodeId } from '@troupe/core'
import type { ClientLink, ClientLinkEvents, ClientLinks } from './client-links.ts'
import { clientWindow } from './client-ports.ts'
import type { NodeControl } from './node-control.ts'

/** What the cluster sends first: the names of its nodes. */
interface FeedGreeting {
  readonly nodes: readonly NodeId[]
  readonly durability: Durability
}

/** What it sends then, again and again: a fresh port to a node. */
interface NodePortMessage {
  readonly node: NodeId
  readonly port: MessagePort
}

/** A fresh pair of ports: one end feeds a client with ports to nodes, the other is the client's. */
export function clientFeed(
  nodes: readonly NodeId[],
  durability: Durability,
): {
  readonly feed: MessagePort
  readonly port: MessagePort
} {
  const { port1, port2 } = new MessageChannel()
  const greeting: FeedGreeting = { nodes, durability }
  port1.postMessage(greeting)
  return { feed: port1, port: port2 }
}

/** @throws RaftError INVALID_OPTIONS where the port is none that {@link clientFeed} made */
function greetingOf(port: MessagePort): FeedGreeting {
  const greeting = port instanceof MessagePort ? receiveMessageOnPort(port)?.message : undefined
  if (!Array.isArray(greeting?.nodes))
    throw invalidOption('port', port, 'a fresh port of cluster.clientPort()')
  return greeting
}

/** Hands a client a fresh port to a node. */
export function offerNode(feed: MessagePort, node: ActorHandle<NodeControl>): void {
  const port = attach(node, 'client', { kind: 'client' })
  const message: NodePortMessage = { node: node.id, port }
  feed.postMessage(message, [port])
}

/** A client's connections over such a port: fresh ports to nodes come over it. */
export class PortLinks implements ClientLinks {
  readonly nodes: readonly NodeId[]
  readonly durability: Durability
  readonly #feed: MessagePort

  /** @throws RaftError INVALID_OPTIONS where the port is none that {@link clientFeed} made */
  constructor(feed: MessagePort) {
    const { nodes, durability } = greetingOf(feed)
    this.nodes = nodes
    this.durability = durability
    this.#feed = feed
  }

  start(events: ClientLinkEvents): void {
    this.#feed.on('message', ({ node, port }: NodePortMessage) => openPort(node, port, events))
    this.#feed.on('close', () => events.ended())
  }

  close(): void {
    this.#feed.close()
  }
}

function openPort(node: NodeId, port: MessagePort, events: ClientLinkEvents): void {
  const link = new Link(port, clientWindow, {
    onFrame: (frame) => {
      link.consumed(1, frame.byteLength)
      events.frame(node, own, frame)
    },
    onWritable: () => events.writable(),
    onClose: () => events.closed(node, own),
  })
  const own: ClientLink = { send: (frame) => link.send(frame, true), close: () => link.close() }
  events.opened(node, own)
}
