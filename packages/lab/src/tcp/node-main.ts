/**
 * The process of a node: `NodeProcess`, as `troupe node` runs it, that tells its parent what happens and answers it. It
 * ends with its parent.
 */
import { type LogLevel, type NodeOptions, NodeProcess } from '@troupe/cluster'
import { invariant, type NodeId, RaftError, type Role } from '@troupe/core'
import { computerMs } from '../real/computer-clock.ts'
import { NodeProbe } from '../real/node-probe.ts'
import { chunkWriter } from './chunk-pipe.ts'
import type { NodeCallName, NodeCalls, NodeNews, NodeOrder, ObservedAs } from './protocol.ts'

type Handlers = {
  readonly [Name in NodeCallName]: (ask: NodeCalls[Name]['ask']) => Promise<NodeCalls[Name]['answer']>
}

const tell = (news: NodeNews): void => {
  // Where its parent has gone this process ends too.
  if (process.connected) process.send?.(news, () => {})
}

function log(level: LogLevel, event: string, detail: Readonly<Record<string, unknown>>): void {
  if (event === 'listening') tell({ kind: 'listening', address: String(detail['address']) })
  if (event === 'role changed') {
    const { role, term, leader } = detail as { role: Role; term: number; leader: NodeId | null }
    tell({ kind: 'role', role, term, leader, atMs: computerMs() })
  }
  if (level !== 'debug') tell({ kind: 'log', level, event, detail })
}

const handlersOf = (node: NodeProcess): Handlers => ({
  status: () => node.status(),
  digest: () => node.digest(),
  command: async ({ command, timeoutMs }) => {
    await node.command(command, timeoutMs)
    return undefined
  },
  addPeer: async ({ id, address }) => node.addPeer(id, address) as undefined,
  removePeer: async ({ id }) => node.removePeer(id) as undefined,
  injectFault: async (request) => {
    await node.faultDesk?.inject(request)
    return undefined
  },
  destroyFault: async ({ id }) => {
    node.faultDesk?.destroy(id)
    return undefined
  },
})

async function serve(node: NodeProcess, order: NodeOrder): Promise<void> {
  if (order.kind === 'stop') {
    await node.stop()
    process.exit(0)
  }
  const { id, name, ask } = order.call
  try {
    const handler = handlersOf(node)[name] as (ask: unknown) => Promise<unknown>
    tell({ kind: 'answer', id, value: await handler(ask) })
  } catch (error) {
    tell({ kind: 'refused', id, reason: reasonOf(error) })
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function die(error: unknown): never {
  const code = error instanceof RaftError ? error.code : 'unknown'
  tell({ kind: 'failed', code, reason: reasonOf(error) })
  process.exit(1)
}

/** The pipe has the order: no numbers are needed. */
function probeOf({ path, index }: ObservedAs): NodeProbe {
  return new NodeProbe({ tell: chunkWriter(path, index), next: () => 0, nowMs: computerMs })
}

async function main(): Promise<void> {
  const [text, observed] = process.argv.slice(2)
  invariant(
    text !== undefined && process.send !== undefined,
    'the process of a node is started by its parent',
  )
  // Ctrl-C reaches it too: its parent ends it.
  process.on('SIGINT', () => {})
  process.once('disconnect', () => process.exit(3))
  try {
    const options = { ...(JSON.parse(text) as NodeOptions), logger: log }
    const observer = observed === undefined ? undefined : probeOf(JSON.parse(observed) as ObservedAs)
    const node = await NodeProcess.start(options, { fail: die, ...(observer && { observer }) })
    process.on('message', (order: NodeOrder) => void serve(node, order))
    tell({ kind: 'started' })
    void node.ended.then(() => process.exit(0))
  } catch (error) {
    die(error)
  }
}

await main()
