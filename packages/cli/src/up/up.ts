/** `troupe up`: a cluster on this machine, watched over, until it is told to end. */
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import type { ClusterOptions } from '@troupe/cluster'
import { invalidOption } from '@troupe/core'
import { readFields } from '../node/node-config.ts'
import { parseOptions } from '../options.ts'
import { showHelp } from '../output.ts'
import { type ClusterPlan, planCluster, refuseProcesses } from './cluster-plan.ts'
import { type ClusterView, rowsOf, viewFor } from './cluster-view.ts'
import type { LocalCluster, LocalEvent } from './local-cluster.ts'
import { LocalProcesses, processRestarts } from './local-processes.ts'

const PATH = 'troupe up'

const options = {
  nodes: {
    kind: 'integer',
    min: 1,
    max: 9,
    help: 'how many, named n1, n2, … (default: 3, or those in the directory)',
  },
  processes: {
    kind: 'flag',
    help: 'each in a process of its own, over TCP; without it: threads of this one',
  },
  directory: {
    kind: 'text',
    placeholder: 'DIR',
    help: 'where they keep what they have',
    otherwise: 'a temporary one',
  },
  port: { kind: 'integer', min: 1, max: 65_000, help: 'of n1, the others follow (default: any free ones)' },
  machine: { kind: 'text', placeholder: 'NAME', help: 'kv, log, queue, or a module', otherwise: 'kv' },
  cluster: {
    kind: 'text',
    placeholder: 'NAME',
    help: "the cluster's name",
    otherwise: 'drawn, kept in the directory',
  },
  config: {
    kind: 'text',
    placeholder: 'FILE',
    help: 'a YAML file of options for every node: raft, batching, limits, …',
  },
  tls: { kind: 'text', placeholder: 'DIR', help: 'certificates as `troupe ca` makes them: TLS between all' },
  'allow-faults': {
    kind: 'flag',
    help: 'with --processes: operators may inject faults (troupe fault inject)',
  },
  json: { kind: 'flag', help: 'a line of JSON for each event and each changed status' },
} as const satisfies OptionTable

const { maxRestarts, withinMs } = processRestarts
const details = [
  'Shows what the nodes do, on a terminal in a table that is drawn anew. A node that dies is started again, after a wait that grows',
  `with each failure; one that fails more than ${maxRestarts} times within ${withinMs / 1000} s is left alone. Ctrl-C stops the leader first, which hands`,
  'over, then the others, each within 10 s; a second Ctrl-C ends all at once. SIGUSR2 restarts them one after the other.',
  'With --processes DIR has a file for each node (n1.json), which `troupe node --config` takes as it is, and its log (n1.log).',
]

type Values = OptionValues<typeof options>

/** How often the nodes are asked. */
const POLL_MS = 500

/** Runs `troupe up ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY, NODE_UNAVAILABLE */
export async function up(args: readonly string[], context: CommandContext): Promise<number> {
  const parsed = parseOptions(args, options, PATH)
  if (parsed.kind === 'help')
    return showHelp(context, PATH, 'runs a cluster on this machine', options, details)
  const { values } = parsed
  const view = viewFor(values.json, context)
  return values.processes ? await upProcesses(values, view, context) : await upThreads(values, view, context)
}

async function upProcesses(values: Values, view: ClusterView, context: CommandContext): Promise<number> {
  const { nodes, directory, port, cluster, machine, tls, config } = values
  const given = config === undefined ? {} : readFields(config)
  const common = values['allow-faults'] ? { ...given, allowFaults: true } : given
  const plan = await planCluster({ nodes, directory, port, cluster, machine, tls, common })
  const remove = (): void => {
    if (plan.isTemporary) rmSync(plan.directory, { recursive: true, force: true, maxRetries: 3 })
  }
  // Whoever asks twice to end gets rid of that too.
  process.once('exit', remove)
  try {
    const tell = (event: LocalEvent): void => view.event(event)
    const running = await LocalProcesses.start(plan, tell, context.signal)
    announce(plan, values, context)
    const restart = (): void => void running.restart()
    process.on('SIGUSR2', restart)
    await serve(running, view, context.signal).finally(() => process.removeListener('SIGUSR2', restart))
    return 0
  } finally {
    process.removeListener('exit', remove)
    remove()
  }
}

function announce(
  { cluster, directory, nodes }: ClusterPlan,
  values: Values,
  { stdout }: CommandContext,
): void {
  const connect = nodes.map(({ address }) => address).join(',')
  if (values.json) {
    stdout.write(`${JSON.stringify({ event: 'ready', cluster, directory, connect: connect.split(',') })}\n`)
    return
  }
  const secure = tlsFlags(values.tls)
  stdout.write(`cluster ${cluster} in ${directory}\n`)
  stdout.write(`  troupe status --connect ${connect}${secure}\n`)
  stdout.write(
    `  Client.connect([${connect
      .split(',')
      .map((address) => `'${address}'`)
      .join(', ')}])\n`,
  )
}

/** For an operator whose certificate lies beside those of the nodes. */
function tlsFlags(directory: string | undefined): string {
  if (directory === undefined) return ''
  const file = (name: string): string => join(directory, name)
  return ` --tls-authority ${file('ca.pem')} --tls-certificate ${file('NAME.pem')} --tls-key ${file('NAME.key')}`
}

async function upThreads(values: Values, view: ClusterView, context: CommandContext): Promise<number> {
  for (const field of ['port', 'cluster', 'tls'] as const)
    if (values[field] !== undefined) throw invalidOption(`--${field}`, values[field], '--processes with it')
  if (values['allow-faults']) throw invalidOption('--allow-faults', true, '--processes with it')
  const { nodes, directory, machine, config } = values
  if (directory !== undefined) refuseProcesses(directory)
  const common = config === undefined ? {} : readFields(config)
  const given = { nodes, directory, machine, ...common }
  const cluster = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const { LocalThreads } = await import('./local-threads.ts')
  const running = await LocalThreads.start(cluster as ClusterOptions, (event) => view.event(event))
  if (values.json) context.stdout.write(`${JSON.stringify({ event: 'ready' })}\n`)
  else context.stdout.write('in threads of this process: with --processes others can connect to it\n')
  await serve(running, view, context.signal)
  return 0
}

/** Shows the cluster until the signal, then stops it. */
async function serve(cluster: LocalCluster, view: ClusterView, signal: AbortSignal): Promise<void> {
  let isAsking = false
  const ask = async (): Promise<void> => {
    if (isAsking) return
    isAsking = true
    // A status that fails is one that is not known.
    const status = await cluster.status().catch(() => undefined)
    isAsking = false
    if (!signal.aborted) view.status(rowsOf(cluster.nodes, status))
  }
  const timer = setInterval(() => void ask(), POLL_MS)
  try {
    await ask()
    if (!signal.aborted) await once(signal, 'abort')
  } finally {
    clearInterval(timer)
    view.end()
    await cluster.stop()
  }
}
