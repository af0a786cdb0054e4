/** `troupe force-recover DIR`: a new cluster of what is left of one whose quorum is gone for good. */
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import { planRecovery, type RecoverOptions, type RecoveryPlan, recoverCluster } from '@troupe/cluster'
import { takeOperands } from './operands.ts'
import { failingOnDamage, progressOf } from './operating.ts'
import { parseOptions, wantsHelp } from './options.ts'
import { counted, exitCodes, showHelp } from './output.ts'
import { missingValue } from './usage-error.ts'

const PATH = 'troupe force-recover DIR'
const CONSENT = 'yes-i-may-lose-data'

const options = {
  survivors: {
    kind: 'text',
    placeholder: 'NAMES',
    help: 'nodes whose directories are left, with commas between them; the most up-to-date one is chosen',
  },
  damaged: {
    kind: 'text',
    placeholder: 'NAMES',
    help: 'survivors that may be chosen although they are damaged',
    otherwise: 'none',
  },
  nodes: {
    kind: 'text',
    placeholder: 'NAMES',
    help: 'members of the new cluster, each with a copy of the chosen state',
    otherwise: 'the survivors',
  },
  machine: {
    kind: 'text',
    placeholder: 'NAME',
    help: 'name or URL of the state machine, where cluster.json is lost too',
    otherwise: 'as cluster.json says',
  },
  'dry-run': { kind: 'flag', help: 'only say what would be done; exit code 0' },
  [CONSENT]: { kind: 'flag', help: 'do it; without it nothing is done, and the exit code is 64' },
} as const satisfies OptionTable

const details = [
  'The last resort, where a majority of the voters is gone for good. All nodes in DIR must be stopped. What only the lost',
  'nodes had is lost. Where a majority is left, start the cluster (with replaceLost) instead; where there is a backup that',
  'is good enough, restore it. Directories of the old cluster are renamed, never removed.',
]

/** Runs `troupe force-recover ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY */
export async function forceRecover(args: readonly string[], context: CommandContext): Promise<number> {
  if (wantsHelp(args)) {
    return showHelp(context, PATH, 'makes a new cluster of what a lost quorum has left', options, details)
  }
  const { operands, rest } = takeOperands(args, ['DIR'], options, PATH)
  const [directory] = operands as [string]
  const parsed = parseOptions(rest, options, PATH)
  if (parsed.kind === 'help') return 0
  const { survivors, damaged, nodes, machine, 'dry-run': isDry, [CONSENT]: consents } = parsed.values
  if (survivors === undefined) throw missingValue('--survivors', 'names of nodes, with commas between them')
  const given: RecoverOptions = {
    survivors: namesIn(survivors),
    damaged: namesIn(damaged ?? ''),
    ...(nodes === undefined ? {} : { nodes: namesIn(nodes) }),
    ...(machine === undefined ? {} : { machine }),
  }
  return failingOnDamage(context, async () => {
    if (consents && !isDry) return recover(directory, given, context)
    context.stdout.write(describe(await planRecovery(directory, given)))
    if (isDry) return 0
    context.stderr.write(`troupe: nothing was changed; --${CONSENT} does it\n`)
    return exitCodes.usage
  })
}

const namesIn = (text: string): string[] => text.split(',').flatMap((name) => name.trim() || [])

async function recover(directory: string, given: RecoverOptions, context: CommandContext): Promise<number> {
  const progress = progressOf(context, 'copied')
  try {
    const { plan, ...report } = await recoverCluster(directory, { ...given, onProgress: progress.show })
    progress.end()
    const { stdout } = context
    if (plan === undefined)
      stdout.write('an earlier recovery was cut off while it switched over; it is finished now\n')
    else stdout.write(describe(plan))
    stdout.write(
      `done: new cluster ${report.clusterId} in ${report.directory}, of ${report.members.join(', ')}\n`,
    )
    stdout.write('  the old directories and cluster.json are kept beside it, as *.old-N\n')
    stdout.write(next(report.members))
    return 0
  } finally {
    progress.end()
  }
}

function next(members: readonly string[]): string {
  if (members.length > 2) return ''
  const lone = members.length === 1 ? 'it does not survive' : 'together they do not survive'
  return `  ${lone} the loss of a node: start it, and add members (cluster.members.add) until there are three\n`
}

function describe(plan: RecoveryPlan): string {
  const lines = [`cluster ${plan.oldClusterId} (${plan.machine}) in ${plan.directory}`]
  for (const { id, lastIndex, lastTerm, snapshotIndex, damage } of plan.survivors) {
    const mark = id === plan.chosen ? ', the most up-to-date: CHOSEN' : ''
    const snapshot = snapshotIndex === 0 ? 'no snapshot' : `a snapshot at ${counted(snapshotIndex)}`
    lines.push(`  ${id}  up to entry ${counted(lastIndex)} of term ${lastTerm}, ${snapshot}${mark}`)
    for (const reason of damage) lines.push(`      DAMAGED: ${reason}`)
  }
  lines.push(`  lost voters: ${plan.lost.join(', ') || 'none'}`)
  lines.push(`  new cluster: ${plan.members.join(', ')}, each with the state of ${plan.chosen}`, '')
  lines.push('What this means:')
  lines.push(
    '  - commands that were acknowledged with the copies of lost nodes only, none of it in the chosen log, ARE LOST',
  )
  lines.push('  - entries at the end of the chosen log that no quorum had agreed on BECOME COMMITTED')
  lines.push(
    '  - so whoever got INDETERMINATE, or no answer, may find its command applied or not: look before repeating it',
  )
  lines.push('  - lost nodes that come back stay outside: they belong to the old cluster')
  if (plan.isQuorum) {
    lines.push(
      '',
      'THE SURVIVORS ARE A QUORUM: start the cluster with replaceLost instead, which loses nothing',
    )
  }
  return `${lines.join('\n')}\n`
}
