/** What a report prints, and its pictures, as one page that stands alone. */

import {
  facts,
  type Html,
  type HtmlPart,
  headline,
  html,
  paragraph,
  renderPage,
  section,
  table,
  warning,
} from '@troupe/page'
import type { Environment } from '../environment.ts'
import { formatMs, formatNumber } from '../terminal/format.ts'
import { plainStyle, type Style } from '../terminal/style.ts'
import type { Column } from '../terminal/table.ts'
import type { Verdict } from '../verify.ts'
import { chartOf } from './charts.ts'
import type { FullDocument } from './document.ts'
import { factsOf } from './facts.ts'
import { originLine } from './origin-line.ts'
import { Output } from './output.ts'
import type { Figure, Picture } from './pictures.ts'

/** Marks text that `style.bad` was asked for: no report has this character. */
const BAD = '\u0000'

/** Collects sections: a title begins one. */
class HtmlOutput extends Output {
  readonly style: Style = { ...plainStyle, bad: (text) => `${BAD}${text}` }
  readonly #sections: { readonly title: string; readonly content: Html[] }[] = []

  get sections(): readonly Html[] {
    return this.#sections.map(({ title, content }) => section(title, ...content))
  }

  line(text = ''): void {
    const isBad = text.includes(BAD)
    const plain = text.replaceAll(BAD, '').trim()
    if (plain !== '') this.#content.push(isBad ? warning(plain) : paragraph(plain))
  }

  title(text: string): void {
    this.#sections.push({ title: text.trim(), content: [] })
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    if (rows.length > 0) this.#content.push(table('', columns, rows))
  }

  get #content(): Html[] {
    if (this.#sections.length === 0) this.title('Results')
    return this.#sections.at(-1)?.content as Html[]
  }
}

/** What of a report a page shows. */
export interface ShownReport {
  print(output: Output): void
  pictures?(): readonly Picture[]
  figures?(): readonly Figure[]
  says?(verdict: Verdict): string
}

export function htmlPage(report: ShownReport, document: FullDocument): string {
  const output = new HtmlOutput()
  report.print(output)
  const pictures = report.pictures?.() ?? []
  const own = report.figures?.() ?? []
  const figures = own.length > 0 ? own : figuresOf(document)
  const content: HtmlPart[] = [figures.length > 0 && headline(figures), ...output.sections]
  if (pictures.length > 0) content.push(section('Pictures', ...pictures.map(chartOf)))
  content.push(section('Conditions', facts(factsOf(document))))
  const { benchmark, verdict, environment, command } = document
  return renderPage({
    title: benchmark[0]?.toUpperCase() + benchmark.slice(1),
    lead: `troupe bench ${benchmark}: ${report.says?.(verdict) ?? VERDICTS[verdict]}.`,
    content,
    footer: footerOf(environment, command),
  })
}

/** What every page ends with: what makes it again, when and where it was measured, and of which sources. */
export function footerOf(environment: Environment | null, command: string): Html {
  return html`${paragraph(html`Made by <code>${command}</code>`)}${paragraph(originLine(environment))}`
}

const VERDICTS: Readonly<Record<Verdict, string>> = {
  pass: 'nothing was lost, applied twice or out of order, and all replicas are equal',
  fail: 'what was checked did not pass',
  unknown: 'not all could be checked',
}

interface Headline {
  readonly opsPerSecond?: unknown
  readonly latencyMs?: { readonly p50?: unknown; readonly p99?: unknown; readonly p999?: unknown }
  readonly lost?: unknown
}

function figuresOf({ headline: given }: FullDocument): readonly Figure[] {
  const { throughput } = (given ?? {}) as { readonly throughput?: Headline | null }
  const { opsPerSecond, latencyMs } = throughput ?? ((given ?? {}) as Headline)
  return [
    ...(typeof opsPerSecond === 'number'
      ? [{ value: formatNumber(opsPerSecond), unit: 'op/s', label: 'throughput' }]
      : []),
    ...(['p50', 'p99', 'p999'] as const).flatMap((name) => {
      const value = latencyMs?.[name]
      const label = name === 'p999' ? 'p99.9' : name
      return typeof value === 'number' ? [{ value: formatMs(value), unit: 'ms', label }] : []
    }),
  ]
}
