/**
 * The process of a node: `NodeProcess`, as `troupe node` runs it, that tells its parent what happens and answers it. It
 * ends with its parent.
 */
import { hrtimeMs } from '@troupe/actor'
import { type LogLevel, type NodeOptions, NodeProcess, type OpenEdges } from '@troupe/cluster'
import { invariant, type NodeId, type Role } from '@troupe/core'
import { HeartbeatLog } from '../heartbeat/heartbeat-log.ts'
import {
  type NodeCallName,
  type NodeCalls,
  type NodeNews,
  type NodeOrder,
  WATCH_HEARTBEATS,
} from './protocol.ts'

type Handlers = {
  readonly [Name in NodeCallName]: (ask: NodeCalls[Name]['ask']) => Promise<NodeCalls[Name]['answer']>
}

const COMMAND_TIMEOUT_MS = 600_000

const tell = (news: NodeNews): void => {
  // Where its parent has gone this process ends too.
  if (process.connected) process.send?.(news, () => {})
}

function log(level: LogLevel, event: string, detail: Readonly<Record<string, unknown>>): void {
  if (event === 'role changed') {
    const { role, term, leader } = detail as { role: Role; term: number; leader: NodeId | null }
    tell({ kind: 'role', role, term, leader, atMs: hrtimeMs() })
  } else if (level !== 'debug') {
    tell({ kind: 'log', level, text: `${event} ${JSON.stringify(detail)}` })
  }
}

/** Looks at every message between peers, on its way out and in. */
const watched =
  (log: HeartbeatLog) =>
  (open: OpenEdges): OpenEdges =>
  (identity, peers, pushClient) => {
    const message: typeof peers.message = (received) => {
      log.received(received)
      peers.message(received)
    }
    const edges = open(identity, { ...peers, message }, pushClient)
    const { transport } = edges
    return {
      transport: {
        send(messages) {
          log.sending(messages)
          transport.send(messages)
        },
        sendAside: (to, aside) => transport.sendAside(to, aside),
        get metrics() {
          return transport.metrics
        },
      },
      drained: () => edges.drained(),
      farewell: () => edges.farewell(),
      close: () => edges.close(),
    }
  }

const handlersOf = (node: NodeProcess, heartbeats: HeartbeatLog | undefined): Handlers => {
  const { instruments } = node
  const only = <Value>(taken: ReadonlyMap<NodeId, Value>): Value | undefined => taken.get(node.id)
  const nothing = async (work: Promise<void>): Promise<undefined> => {
    await work
    return undefined
  }
  return {
    status: () => node.status(),
    digest: () => node.digest(),
    command: (command) => nothing(node.command(command, COMMAND_TIMEOUT_MS)),
    startTrace: () => nothing(instruments.startTraces()),
    takeTrace: async () => only(await instruments.takeTraces()),
    startProfile: () => nothing(instruments.startProfiles()),
    takeHeartbeats: async () => heartbeats?.take(),
    takeProfile: async () => only(await instruments.takeProfiles()),
  }
}

async function serve(
  node: NodeProcess,
  heartbeats: HeartbeatLog | undefined,
  order: NodeOrder,
): Promise<void> {
  if (order.kind === 'stop') {
    await node.stop()
    process.exit(0)
  }
  const { id, name, ask } = order.call
  try {
    const handler = handlersOf(node, heartbeats)[name] as (ask: unknown) => Promise<unknown>
    tell({ kind: 'answer', id, value: await handler(ask) })
  } catch (error) {
    tell({ kind: 'refused', id, reason: reasonOf(error) })
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

function die(error: unknown): never {
  tell({ kind: 'failed', reason: reasonOf(error) })
  process.exit(1)
}

async function main(): Promise<void> {
  const [text, watch] = process.argv.slice(2)
  invariant(text !== undefined && process.send !== undefined, 'the process of a node is forked')
  // Ctrl-C reaches it too: its parent ends it.
  process.on('SIGINT', () => {})
  process.once('disconnect', () => process.exit(3))
  try {
    const options = JSON.parse(text) as NodeOptions
    const heartbeats = watch === WATCH_HEARTBEATS ? new HeartbeatLog(hrtimeMs) : undefined
    const hooks = { fail: die, ...(heartbeats && { watchEdges: watched(heartbeats) }) }
    const node = await NodeProcess.start({ ...options, logger: log }, hooks)
    process.on('message', (order: NodeOrder) => void serve(node, heartbeats, order))
    tell({ kind: 'started' })
  } catch (error) {
    die(error)
  }
}

await main()
