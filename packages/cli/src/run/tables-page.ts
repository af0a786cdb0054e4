/** The tables of scenarios as a page of Markdown: a section for each title. */
import type { CaseResult, TableRow } from '@troupe/lab'
import { markdownTable } from '../output.ts'

export function tablesPage(cases: readonly CaseResult[]): string {
  const rows = cases.flatMap(({ tableRow, runs }) => (tableRow === undefined ? [] : [{ ...tableRow, runs }]))
  const sections = [...Map.groupBy(rows, ({ title }) => title)].toSorted(([left], [right]) =>
    left.localeCompare(right),
  )
  return [...HEAD, ...sections.flatMap(([title, own]) => section(title, own))].join('\n')
}

const HEAD = [
  '# What faults do, measured',
  '',
  'Written by `pnpm troupe run test/tables --table docs/fault-tables.md`: the whole stack in virtual time, so that the same seeds',
  'give the same figures on any machine. Frames take 0.5 ms and flushes 1 ms in the mean of a quiet day, and chance adds to both.',
  'Each row is a case of a file in `test/tables`, with what must be true of it. _Lost_ is what the invariants, which are looked at',
  'after each event, and the search for every acknowledged write at the end have found.',
  '',
]

function section(title: string, rows: readonly (TableRow & { readonly runs: number })[]): string[] {
  const [first] = rows
  const heads = [...(first?.cells.map(([head]) => head) ?? []), 'runs']
  const table = markdownTable([
    heads,
    ...rows.map(({ cells, runs }) => [...cells.map(([, text]) => text), `${runs}`]),
  ])
  const abouts = [...new Set(rows.flatMap(({ about }) => about ?? []))]
  return [`## ${title}`, '', ...abouts.flatMap((text) => [...wrapped(text), '']), table, '']
}

const LINE = 130

/** Lines of words, none longer than a line of the other documents. */
function wrapped(text: string): string[] {
  const lines: string[] = []
  for (const word of text.trim().split(/\s+/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < LINE) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
