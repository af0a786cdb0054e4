/**
 * The process of a node: `NodeProcess`, as `troupe node` runs it, that tells its parent what happens and answers it. It
 * ends with its parent.
 */
import { hrtimeMs } from '@troupe/actor'
import { type LogLevel, type NodeOptions, NodeProcess } from '@troupe/cluster'
import { invariant, type NodeId, type Role } from '@troupe/core'
import type { NodeCallName, NodeCalls, NodeNews, NodeOrder } from './protocol.ts'

type Handlers = {
  readonly [Name in NodeCallName]: (ask: NodeCalls[Name]['ask']) => Promise<NodeCalls[Name]['answer']>
}

const COMMAND_TIMEOUT_MS = 600_000

const tell = (news: NodeNews): void => {
  if (process.connected) process.send?.(news)
}

function log(level: LogLevel, event: string, detail: Readonly<Record<string, unknown>>): void {
  if (event === 'role changed') {
    const { role, term, leader } = detail as { role: Role; term: number; leader: NodeId | null }
    tell({ kind: 'role', role, term, leader, atMs: hrtimeMs() })
  } else if (level !== 'debug') {
    tell({ kind: 'log', level, text: `${event} ${JSON.stringify(detail)}` })
  }
}

const handlersOf = (node: NodeProcess): Handlers => {
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
    takeProfile: async () => only(await instruments.takeProfiles()),
  }
}

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

const reasonOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

function die(error: unknown): never {
  tell({ kind: 'failed', reason: reasonOf(error) })
  process.exit(1)
}

async function main(): Promise<void> {
  const [text] = process.argv.slice(2)
  invariant(text !== undefined && process.send !== undefined, 'the process of a node is forked')
  // Ctrl-C reaches it too: its parent ends it.
  process.on('SIGINT', () => {})
  process.once('disconnect', () => process.exit(3))
  try {
    const options = JSON.parse(text) as NodeOptions
    const node = await NodeProcess.start({ ...options, logger: log }, { fail: die })
    process.on('message', (order: NodeOrder) => void serve(node, order))
    tell({ kind: 'started' })
  } catch (error) {
    die(error)
  }
}

await main()
