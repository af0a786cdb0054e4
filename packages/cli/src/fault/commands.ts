/** What stands behind `troupe fault inject`, `list` and `destroy`. */
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import { RemoteCluster } from '@troupe/cluster/remote'
import { invalidOption } from '@troupe/core'
import { type CommonValues, common, dialSettings } from '../node/operate.ts'
import { takeOperands } from '../operands.ts'
import { parseOptions, wantsHelp } from '../options.ts'
import { exitCodes, showHelp, textStream, writeJson } from '../output.ts'
import { listText, toldText } from './fault-text.ts'
import { faultsOf, forMsOf, injectDetails, injectOptions } from './faults-of.ts'

export async function injectCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const path = 'troupe fault inject'
  const table = { ...injectOptions, ...common } as const
  const parsed = parseOptions(args, table, path)
  if (parsed.kind === 'help')
    return showHelp(context, path, 'begins a fault, and prints its id', table, injectDetails)
  const { values } = parsed
  const faults = faultsOf(values)
  const forMs = forMsOf(values.for)
  return withCluster(values, context, async (cluster) => {
    const injected = await cluster.faults.inject(faults, forMs === undefined ? {} : { forMs })
    writeJson(values.json, injected, context)
    // The id alone, for scripts; what it is, for people.
    if (values.json !== '-') context.stdout.write(`${injected.id}\n`)
    context.stderr.write(toldText(injected))
    return exitCodes.pass
  })
}

export async function listCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const path = 'troupe fault list'
  const parsed = parseOptions(args, common, path)
  if (parsed.kind === 'help') return showHelp(context, path, 'shows the faults that last', common)
  const { values } = parsed
  return withCluster(values, context, async (cluster) => {
    const listed = await cluster.faults.list()
    writeJson(values.json, listed, context)
    textStream(values.json, context).write(listText(listed))
    return exitCodes.pass
  })
}

export async function destroyCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const path = 'troupe fault destroy'
  const table: OptionTable = common
  const summary = 'ends a fault now; ID may be all'
  const details = ['A node that is paused or down does not answer: its part ends at its time.']
  if (wantsHelp(args)) return showHelp(context, `${path} ID`, summary, table, details)
  const { operands, rest } = takeOperands(args, ['ID'], table, `${path} ID`)
  const parsed = parseOptions(rest, common, path)
  if (parsed.kind === 'help') return exitCodes.pass
  const [id] = operands
  return withCluster(parsed.values, context, async (cluster) => {
    const { ended, missing } = await cluster.faults.destroy(id === 'all' ? undefined : id)
    writeJson(parsed.values.json, { ended, missing }, context)
    const text = textStream(parsed.values.json, context)
    for (const each of ended) text.write(`${each} has ended\n`)
    for (const { node, reason } of missing) context.stderr.write(`not told: ${node} (${reason})\n`)
    if (ended.length > 0 || id === 'all') return exitCodes.pass
    if (missing.length > 0) return exitCodes.unknown
    throw invalidOption('ID', id, 'the id of a fault that lasts; troupe fault list shows them')
  })
}

/** @throws RaftError NODE_UNAVAILABLE */
export async function withCluster(
  values: CommonValues,
  context: CommandContext,
  run: (cluster: RemoteCluster) => Promise<number>,
): Promise<number> {
  if (values.connect === undefined)
    throw invalidOption('--connect', undefined, 'host:port of one node or more')
  const cluster = await RemoteCluster.connect(values.connect.split(','), dialSettings(values, context))
  try {
    return await run(cluster)
  } finally {
    cluster.close()
  }
}
