/** `troupe status|transfer|add|remove|snapshot --connect HOST:PORT`: what operators ask of a cluster over TCP. */
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import { type DialSettings, RemoteCluster, tlsFilesOf } from '@troupe/cluster/remote'
import { invalidOption } from '@troupe/core'
import { parseOptions } from '../options.ts'
import { exitCodes, jsonOption, showHelp, textStream, writeJson } from '../output.ts'
import { statusText } from './status-text.ts'

type Operation = 'status' | 'transfer' | 'add' | 'remove' | 'snapshot'

/** How a cluster over TCP is reached. */
export const common = {
  connect: { kind: 'text', placeholder: 'LIST', help: 'one node or more: host:port,host:port,…' },
  'tls-authority': { kind: 'text', placeholder: 'FILE', help: 'the certificate of the authority: speak TLS' },
  'tls-certificate': { kind: 'text', placeholder: 'FILE', help: 'a certificate that proves who this is' },
  'tls-key': { kind: 'text', placeholder: 'FILE', help: 'the key of that' },
  timeout: { kind: 'integer', min: 1, unit: 'ms', default: 30_000, help: 'longest wait' },
  json: jsonOption,
} as const satisfies OptionTable

const node = { kind: 'text', placeholder: 'NAME', help: 'the node' } as const
const tables = {
  status: common,
  transfer: { to: { ...node, otherwise: 'the voter that is furthest' }, ...common },
  add: {
    node,
    address: { kind: 'text', placeholder: 'ADDRESS', help: 'host:port where the others reach it' },
    ...common,
  },
  remove: { node, ...common },
  snapshot: { node, ...common },
} as const satisfies Record<Operation, OptionTable>

const summaries: Readonly<Record<Operation, string>> = {
  status: 'shows the nodes of a running cluster; exit code 1 where nobody leads',
  transfer: 'hands leadership to another node',
  add: 'makes a node a member that was started with --join',
  remove: 'takes a node out of the members; it stops by itself',
  snapshot: 'lets a node take a snapshot and compact its log',
}

const details = [
  'The table shows all members as those who answer know them: each node spreads its state with its heartbeats, so one that',
  'answers is enough. `age`: since the node said so itself; `lag`: entries it has not applied; `suspected`: by whom, and why.',
  'An operator without a certificate proves itself with TROUPE_CONTROL_TOKEN, from the environment.',
]

export type CommonValues = OptionValues<typeof common>
type Values = CommonValues & { readonly node?: string; readonly to?: string; readonly address?: string }

/** The command of that name. */
export function operate(
  name: Operation,
): (args: readonly string[], context: CommandContext) => Promise<number> {
  const path = `troupe ${name}`
  return async (args, context) => {
    const table: OptionTable = tables[name]
    const parsed = parseOptions(args, table, path)
    if (parsed.kind === 'help') return showHelp(context, path, summaries[name], table, details)
    const values = parsed.values as unknown as Values
    const seeds = needed('--connect', values.connect, 'host:port of one node or more').split(',')
    const cluster = await RemoteCluster.connect(seeds, dialSettings(values, context))
    try {
      return await run(name, cluster, values, context)
    } finally {
      cluster.close()
    }
  }
}

async function run(
  name: Operation,
  cluster: RemoteCluster,
  values: Values,
  context: CommandContext,
): Promise<number> {
  const options = { timeoutMs: values.timeout }
  const id = (): string => needed('--node', values.node, "the node's name")
  if (name === 'transfer') await cluster.transferLeadership(values.to, options)
  if (name === 'snapshot') await cluster.takeSnapshot(id(), options)
  if (name === 'remove') await cluster.members.remove(id(), options)
  if (name === 'add') {
    const address = needed('--address', values.address, 'host:port where the others reach it')
    await cluster.add(id(), address, dialSettings(values, context), options)
  }
  const status = await cluster.status()
  writeJson(values.json, status, context)
  textStream(values.json, context).write(statusText(status))
  return name === 'status' && status.leader === undefined ? exitCodes.fail : exitCodes.pass
}

/** @throws RaftError INVALID_OPTIONS for files that do not go together */
export function dialSettings(values: CommonValues, { env }: CommandContext): DialSettings {
  const token = env['TROUPE_CONTROL_TOKEN']
  return {
    ...(token === undefined ? {} : { token }),
    ...tlsFilesOf(values),
    connectTimeoutMs: Math.min(values.timeout, 10_000),
  }
}

function needed(flag: string, value: string | undefined, expected: string): string {
  if (value === undefined) throw invalidOption(flag, value, expected)
  return value
}
