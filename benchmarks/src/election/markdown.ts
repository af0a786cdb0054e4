/** The results as a page for docs/. */
import type { Environment } from '../environment.ts'
import type { Column } from '../terminal/table.ts'
import { cellColumns } from './cell-columns.ts'
import type { CellResult } from './cell-result.ts'
import { describeFault, electionFaultNames } from './election-faults.ts'
import { goalsOf } from './goals.ts'

const INTRODUCTION = `# Elections under faults

Times in milliseconds from the loss of the leader: until a follower asked for (pre-)votes, until another led, until a client
got its first acknowledgement from that one, and until all nodes were back and had caught up. Percentiles by nearest rank;
a dash where there are fewer than 100 trials for a 99th; the worst of all is always given. *Wasted*: terms that were begun and
had no leader; *contested*: terms with more than one candidate; *spurious*: candidacies while no leader was lost. *During*: from
the fault until all was as before. After each cell every acknowledged command was looked for, and replicas were compared.`

const IN_VIRTUAL_TIME = `The nodes ran in the simulator: times are virtual, a commit is that of the new leader, and there is no
throughput. *Checked*: all invariants of the simulator held after every event.`

interface Measured {
  readonly results: readonly CellResult[]
  readonly environment: Environment | undefined
  readonly engine: 'threads' | 'tcp' | 'sim'
}

/** @param command what was typed */
export function electionPage(report: Measured, command: string): string {
  const { results, environment, engine } = report
  const parts = [INTRODUCTION]
  if (engine === 'sim') parts.push(IN_VIRTUAL_TIME)
  if (environment !== undefined) {
    const { cpuCount, cpuModel, nodeVersion, date, gitCommit, durability, fileSystem } = environment
    const where = [
      `${cpuCount} × ${cpuModel}`,
      `Node ${nodeVersion}`,
      ...(engine === 'sim' ? [] : [fileSystem?.type ?? 'no disk', durability]),
      `commit ${gitCommit ?? 'unknown'}`,
      date.slice(0, 10),
    ]
    parts.push(`${where.join(' · ')}\n\n    ${command}`)
  }
  parts.push('## Cells', markdownTable(cellColumns, results), '## Faults', faultList(results, engine))
  const goals = goalList(results)
  if (goals !== '') parts.push('## Goals', goals)
  return `${parts.join('\n\n')}\n`
}

function markdownTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(columns.map(({ title }) => title)),
    line(columns.map(({ align }) => (align === 'left' ? ':--' : '--:'))),
    ...rows.map((row) => line(columns.map(({ value }) => value(row)))),
  ].join('\n')
}

function faultList(results: readonly CellResult[], engine: Measured['engine']): string {
  return electionFaultNames
    .filter((name) => results.some(({ cell }) => cell.fault === name))
    .map((name) => `- \`${name}\`: ${describeFault(name, engine)}`)
    .join('\n')
}

function goalList(results: readonly CellResult[]): string {
  const lines = results.flatMap((result) =>
    goalsOf(result).map(({ text, isMet }) => {
      const answer = isMet === undefined ? 'not enough to say' : isMet ? 'reached' : '**missed**'
      return `- \`${result.cell.name}\`: ${text}: ${answer}`
    }),
  )
  return lines.join('\n')
}
