/** The process of a node, for a benchmark: it also tells where its time goes, and when heartbeats came and went. */
import { hrtimeMs } from '@troupe/actor'
import type { NodeProcess, OpenEdges } from '@troupe/cluster'
import { type Handlers, runNodeChild } from '@troupe/cluster/children'
import type { NodeId } from '@troupe/core'
import { HeartbeatLog } from '../heartbeat/heartbeat-log.ts'
import { type BenchmarkCalls, WATCH_HEARTBEATS } from './protocol.ts'

const US_PER_MS = 1000

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

const handlersOf = (node: NodeProcess, heartbeats: HeartbeatLog | undefined): Handlers<BenchmarkCalls> => {
  const { instruments } = node
  const only = <Value>(taken: ReadonlyMap<NodeId, Value>): Value | undefined => taken.get(node.id)
  const nothing = async (work: Promise<void>): Promise<undefined> => {
    await work
    return undefined
  }
  return {
    startTrace: () => nothing(instruments.startTraces()),
    takeTrace: async () => only(await instruments.takeTraces()),
    startProfile: () => nothing(instruments.startProfiles()),
    takeProfile: async () => only(await instruments.takeProfiles()),
    cpuMs: async () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / US_PER_MS
    },
    takeHeartbeats: async () => heartbeats?.take(),
  }
}

await runNodeChild<BenchmarkCalls>(([watch]) => {
  const heartbeats = watch === WATCH_HEARTBEATS ? new HeartbeatLog(hrtimeMs) : undefined
  return {
    hooks: heartbeats && { watchEdges: watched(heartbeats) },
    handlers: (node) => handlersOf(node, heartbeats),
  }
})
