/** The port between a cluster and a client of it, in whatever thread that is: it brings the client ports to the nodes. */
import { MessageChannel, MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { type ActorHandle, attach } from '@troupe/actor'
import { invalidOption, type NodeId } from '@troupe/core'
import type { NodeControl } from './node-control.ts'

/** What the cluster sends first: the names of its nodes. */
interface FeedGreeting {
  readonly nodes: readonly NodeId[]
}

/** What it sends then, again and again: a fresh port to a node. */
export interface NodePortMessage {
  readonly node: NodeId
  readonly port: MessagePort
}

/** A fresh pair of ports: one end feeds a client with ports to nodes, the other is the client's. */
export function clientFeed(nodes: readonly NodeId[]): {
  readonly feed: MessagePort
  readonly port: MessagePort
} {
  const { port1, port2 } = new MessageChannel()
  const greeting: FeedGreeting = { nodes }
  port1.postMessage(greeting)
  return { feed: port1, port: port2 }
}

/** @throws RaftError INVALID_OPTIONS where the port is none that {@link clientFeed} made */
export function greetingOf(port: MessagePort): FeedGreeting {
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
