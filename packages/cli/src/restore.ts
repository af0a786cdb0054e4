/** `troupe restore FILE DIR`: a new cluster of a backup. */
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import { restoreCluster } from '@troupe/cluster'
import { takeOperands } from './operands.ts'
import { failingOnDamage, progressOf } from './operating.ts'
import { parseOptions, wantsHelp } from './options.ts'
import { counted, showHelp, sized } from './output.ts'

const PATH = 'troupe restore FILE DIR'

const options = {
  nodes: { kind: 'integer', min: 1, max: 9, default: 3, help: 'nodes of the new cluster, named n1, n2, …' },
  machine: {
    kind: 'text',
    placeholder: 'NAME',
    help: 'name or URL of the state machine, where its module has moved',
    otherwise: 'as the backup says',
  },
} as const satisfies OptionTable

const details = [
  'DIR must be empty or absent. What is made is another cluster than the one that the backup is of, with the same state:',
  'nodes of the old one cannot join it. Cluster.start({ directory: DIR }) runs it.',
]

/** Runs `troupe restore ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY */
export async function restore(args: readonly string[], context: CommandContext): Promise<number> {
  if (wantsHelp(args)) return showHelp(context, PATH, 'makes a new cluster of a backup', options, details)
  const { operands, rest } = takeOperands(args, ['FILE', 'DIR'], options, PATH)
  const [file, directory] = operands as [string, string]
  const parsed = parseOptions(rest, options, PATH)
  const { nodes = 3, machine } = parsed.kind === 'values' ? parsed.values : {}
  return failingOnDamage(context, async () => {
    const progress = progressOf(context, 'restored')
    try {
      const given = machine === undefined ? {} : { machine }
      const report = await restoreCluster(file, directory, { nodes, ...given, onProgress: progress.show })
      progress.end()
      const { index, bytes } = report.backup.meta
      const { clusterId, created } = report.backup
      const { stdout } = context
      stdout.write(`new cluster ${report.clusterId} (${report.machine}) in ${report.directory}\n`)
      stdout.write(`  members  ${report.members.join(', ')}\n`)
      stdout.write(`  state    as of entry ${counted(index)}, ${sized(bytes)}\n`)
      stdout.write(`  from     a backup of cluster ${clusterId}, made ${created}\n`)
      return 0
    } finally {
      progress.end()
    }
  })
}
