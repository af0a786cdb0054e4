/** `troupe backup DIR FILE`: a verified backup file of a cluster's latest snapshot. */
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import { type BackupReport, backupCluster } from '@troupe/cluster'
import { takeOperands } from './operands.ts'
import { failingOnDamage, progressOf } from './operating.ts'
import { parseOptions, wantsHelp } from './options.ts'
import { counted, showHelp, sized } from './output.ts'

const PATH = 'troupe backup DIR FILE'

const options = {
  force: { kind: 'flag', help: 'replace FILE where it exists' },
} as const satisfies OptionTable

const details = [
  'DIR is the directory of a cluster (cluster.json) or of one of its nodes; the nodes may run. A backup is the latest',
  'complete snapshot, of the node that has the furthest: what the logs hold behind it is not in it, and is counted.',
  'For all that is acknowledged, let the running cluster take a snapshot first: backupCluster(cluster, file) does both.',
]

/** Runs `troupe backup ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY */
export async function backup(args: readonly string[], context: CommandContext): Promise<number> {
  if (wantsHelp(args)) return showHelp(context, PATH, 'writes a verified backup file', options, details)
  const { operands, rest } = takeOperands(args, ['DIR', 'FILE'], options, PATH)
  const [directory, file] = operands as [string, string]
  const parsed = parseOptions(rest, options, PATH)
  const force = parsed.kind === 'values' && parsed.values.force
  return failingOnDamage(context, async () => {
    const progress = progressOf(context, 'copied')
    try {
      const report = await backupCluster(directory, file, { force, onProgress: progress.show })
      progress.end()
      tell(report, context)
      return 0
    } finally {
      progress.end()
    }
  })
}

function tell(report: BackupReport, { stdout, stderr }: CommandContext): void {
  const { clusterId, machine, node, index, lastIndex, stateBytes, file, fileBytes } = report
  for (const { reason } of report.skipped) stderr.write(`troupe: passed over a snapshot: ${reason}\n`)
  const of = machine === undefined ? '' : ` (${machine})`
  stdout.write(`backup of cluster ${clusterId}${of}\n`)
  stdout.write(
    `  state    as of entry ${counted(index)}, ${sized(stateBytes)}, from the latest snapshot of ${node}\n`,
  )
  stdout.write(`  file     ${file}, ${sized(fileBytes)}, read back and verified\n`)
  stdout.write(`  behind   ${behind(report)}\n`)
  if (report.entriesBehind === 0) return
  stderr.write(
    `troupe: NOT in the backup: entries ${counted(index + 1)} to ${counted(lastIndex)}, ` +
      'which came after the snapshot\n',
  )
}

function behind({ entriesBehind, index, lastIndex }: BackupReport): string {
  if (entriesBehind === 0) return `nothing: the furthest log here ends at entry ${counted(lastIndex)} too`
  return `${counted(entriesBehind)} entries: it stands at ${counted(index)} of ${counted(lastIndex)} in the furthest log`
}
