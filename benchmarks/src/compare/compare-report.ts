/** What `bench compare` shows: a table, and beside each figure what it was taken of. */
import type { Environment } from '../environment.ts'
import type { FullDocument } from '../report/document.ts'
import type { Output, Picture, Report, ReportDocument } from '../report.ts'
import { formatNumber, rounded } from '../terminal/format.ts'
import type { Verdict } from '../verify.ts'
import {
  type ComparedRun,
  type ComparisonRow,
  compareRuns,
  comparisonColumns,
  markdownTable,
} from './comparison.ts'
import type { Contestant, Facts, Missing } from './contestant.ts'

/** What became of a contestant. */
export type Fate =
  | { readonly kind: 'measured' }
  | { readonly kind: 'skipped'; readonly missing: Missing }
  | { readonly kind: 'failed'; readonly reason: string }

interface Entry {
  readonly facts: Facts
  version: string | undefined
  fate: Fate
}

export class CompareReport implements Report {
  readonly runs: ComparedRun[] = []
  environment: Environment | undefined
  readonly #entries: ReadonlyMap<string, Entry>
  readonly #own: string
  readonly #configuration: Readonly<Record<string, unknown>>

  /** @param own name of the contestant that all are compared with */
  constructor(
    contestants: readonly Contestant[],
    own: string,
    configuration: Readonly<Record<string, unknown>>,
  ) {
    this.#entries = new Map(
      contestants.map(({ facts }) => [facts.name, { facts, version: undefined, fate: { kind: 'measured' } }]),
    )
    this.#own = own
    this.#configuration = configuration
  }

  setVersion(name: string, version: string): void {
    this.#entry(name).version = version
  }

  skip(name: string, missing: Missing): void {
    this.#entry(name).fate = { kind: 'skipped', missing }
  }

  fail(name: string, reason: string): void {
    this.#entry(name).fate = { kind: 'failed', reason }
  }

  isOut(name: string): boolean {
    return this.#entry(name).fate.kind !== 'measured'
  }

  get rows(): ComparisonRow[] {
    return compareRuns(
      this.runs,
      [...this.#entries.values()].map(({ facts }) => facts),
      this.#own,
    )
  }

  /** About us: what a peer loses is its row's to tell. A contestant that failed leaves the question open. */
  get verdict(): Verdict {
    const isOurs = (name: string): boolean => name === this.#own || this.#entry(name).facts.isOurs === true
    const ours = this.runs.filter(({ contestant }) => isOurs(contestant))
    if (ours.some(({ lost, duplicated, reordered }) => lost + duplicated + (reordered ?? 0) > 0))
      return 'fail'
    const hasFailed = [...this.#entries.values()].some(({ fate }) => fate.kind === 'failed')
    return hasFailed || !ours.some(({ contestant }) => contestant === this.#own) ? 'unknown' : 'pass'
  }

  says(verdict: Verdict): string {
    const texts: Record<Verdict, string> = {
      pass: 'the same load on each; of ours nothing was lost, applied twice or in another order',
      fail: 'of ours commands were lost, applied twice or in another order',
      unknown: 'not all of them could be measured',
    }
    return texts[verdict]
  }

  /** One picture for each window. */
  pictures(): readonly Picture[] {
    const groups = Map.groupBy(this.rows, ({ window }) => window)
    return [...groups].map(([window, rows]) => ({
      kind: 'bars',
      title: `Acknowledged per second, ${formatNumber(window)} outstanding`,
      note: 'What an acknowledgement means differs: those that a quorum has synced have a colour of their own.',
      bars: rows.map((row) => ({
        label: row.title,
        value: row.opsPerSecond,
        text: `${formatNumber(row.opsPerSecond)}/s`,
        group: row.isDurable ? 'synced by a quorum' : 'not synced by a quorum',
      })),
    }))
  }

  print(output: Output): void {
    output.title('Comparison: the same load on each, one after the other')
    if (this.environment !== undefined) output.environment(this.environment)
    if (this.runs.length > 0) output.table(comparisonColumns, this.rows)
    for (const { facts, version, fate } of this.#entries.values()) {
      const name = version === undefined ? facts.title : `${facts.title} ${version}`
      output.line()
      if (fate.kind === 'skipped') {
        output.line(`${facts.title}: skipped, ${fate.missing.what} not found; ${fate.missing.install}`)
        continue
      }
      output.line(output.style.bold(name))
      if (fate.kind === 'failed') output.line(output.style.bad(`  failed: ${fate.reason}`))
      for (const [what, text] of notesOf(facts)) output.line(`  ${what}: ${text}`)
    }
  }

  document(): ReportDocument {
    const rows = this.rows
    const contestants = [...this.#entries.values()].map(({ facts, version = null, fate }) => ({
      ...facts,
      version,
      ...fate,
    }))
    return {
      benchmark: 'compare',
      headline: rows.length === 0 ? null : { rows },
      contestants,
      configuration: this.#configuration,
      environment: this.environment ?? null,
      runs: this.runs,
    }
  }

  /** The table and its notes for a document. */
  markdown(document?: Pick<FullDocument, 'command'>): string {
    const command = document === undefined ? [] : [`    ${document.command}`, '']
    const lines = [...this.#conditions(), '', ...command, ...markdownTable(comparisonColumns, this.rows), '']
    for (const { facts, version, fate } of this.#entries.values()) {
      const name = version === undefined ? facts.title : `${facts.title} ${version}`
      if (fate.kind === 'skipped') {
        lines.push(`- **${name}**: skipped, ${fate.missing.what} not found; \`${fate.missing.install}\``)
        continue
      }
      const failure = fate.kind === 'failed' ? [['failed', fate.reason.replaceAll('\n', ' ')] as const] : []
      const notes = [...failure, ...notesOf(facts)].map(([what, text]) => `${what}: ${text}`)
      lines.push(`- **${name}**: ${notes.join('. ')}.`)
    }
    return `${lines.join('\n')}\n`
  }

  #conditions(): string[] {
    if (this.environment === undefined) return []
    const { date, cpuModel, cpuCount, memoryBytes, nodeVersion, fileSystem, gitCommit } = this.environment
    const memory = `${rounded(memoryBytes / 1024 ** 3, 0)} GiB`
    const machine = `${cpuCount} × ${cpuModel}, ${memory}, ${fileSystem?.type ?? 'no disk'}`
    return [`${machine}, Node ${nodeVersion}, ${date.slice(0, 10)}, commit ${gitCommit ?? 'unknown'}.`]
  }

  #entry(name: string): Entry {
    return this.#entries.get(name) as Entry
  }
}

const notesOf = ({ acknowledgement, configuration, recommendation }: Facts) =>
  [
    ['acknowledged', acknowledgement],
    ['configuration', configuration],
    ['recommended', recommendation],
  ] as const
