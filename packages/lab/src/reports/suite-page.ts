/** The page of a suite: what holds and what does not, first what does not, each with a link to its runs. */
import {
  formatDuration,
  formatNumber,
  type Html,
  headline,
  html,
  paragraph,
  renderPage,
  section,
  table,
  verdictBanner,
  verdictMark,
} from '@troupe/page'
import type { Asserted } from '../assertion.ts'
import type { FigureName } from '../figures.ts'
import type { CaseResult, SuiteResult } from '../run-suite.ts'
import { counted, percent, time } from './words.ts'

/** Pages of the runs of a case, by their seeds, first the one that matters. */
export type PagesOf = (result: CaseResult) => ReadonlyMap<number, string>

const order = { fail: 0, unknown: 1, pass: 2 } as const

export function renderSuite(suite: SuiteResult, command: string, pagesOf: PagesOf): string {
  const { cases, verdict, wallMs } = suite
  const sorted = cases.toSorted((left, right) => order[left.verdict] - order[right.verdict])
  const odd = sorted.filter((one) => one.verdict !== 'pass')
  const runs = cases.reduce((sum, one) => sum + one.runs, 0)
  const virtualMs = cases.reduce((sum, one) => sum + one.elapsedMs, 0)
  return renderPage({
    kicker: 'Troupe laboratory',
    title: `${counted(cases.length, 'case')}, ${counted(runs, 'run')}`,
    content: [
      verdictBanner(verdict, suiteSentence(cases)),
      headline([
        { value: formatNumber(count(cases, 'pass')), label: 'passed' },
        { value: formatNumber(count(cases, 'fail')), label: 'failed' },
        { value: formatNumber(count(cases, 'unknown')), label: 'show nothing' },
        { value: formatDuration(virtualMs), label: 'of cluster time' },
        { value: formatDuration(wallMs), label: 'it took' },
      ]),
      odd.length > 0 && section('What does not hold', html`${odd.map((one) => oddCase(one, pagesOf(one)))}`),
      section('All cases', caseTable(sorted, pagesOf)),
    ],
    footer: html`<p>Made by <code>${command}</code></p>`,
  })
}

const count = (cases: readonly CaseResult[], verdict: CaseResult['verdict']): number =>
  cases.filter((one) => one.verdict === verdict).length

function suiteSentence(cases: readonly CaseResult[]): string {
  const failed = count(cases, 'fail')
  const unknown = count(cases, 'unknown')
  if (failed + unknown === 0) return 'Every case holds in every run, and reached what it is there for.'
  const parts = [
    failed > 0 ? `${counted(failed, 'case does', 'cases do')} not hold` : '',
    unknown > 0 ? `${counted(unknown, 'case shows', 'cases show')} nothing` : '',
  ]
  return `${parts.filter((part) => part !== '').join(', and ')}.`
}

function oddCase(
  { name, verdict, asserted, reproduce }: CaseResult,
  pages: ReadonlyMap<number, string>,
): Html {
  const why = asserted.filter((one) => one.verdict !== 'pass')
  const links = [...pages].map(([seed, file]) => html`<a href="${file}">seed ${seed}</a> `)
  return html`<div class="odd"><h3>${verdictMark(verdict)} ${name}</h3>
${why.map(({ text }: Asserted) => paragraph(text))}<p>${links}</p><code class="shell">${reproduce}</code></div>`
}

/** The worst of all runs. */
const worst =
  (name: FigureName, show: (value: number) => string) =>
  ({ figures }: CaseResult): string => {
    const summary = figures[name]
    return summary === undefined ? '–' : show(summary.max)
  }

function caseTable(cases: readonly CaseResult[], pagesOf: PagesOf): Html {
  const name = (result: CaseResult): Html => {
    const [first] = pagesOf(result).values()
    return first === undefined ? html`${result.name}` : html`<a href="${first}">${result.name}</a>`
  }
  return table(
    'The worst of all runs of each case; times under the faults',
    [
      { title: 'case', value: name, align: 'left', isWrapped: true },
      { title: 'verdict', value: ({ verdict }) => verdictMark(verdict), align: 'left' },
      { title: 'runs', value: runsOf, align: 'left' },
      { title: 'recovery', value: worst('recoverySecondsDuring', (seconds) => time(seconds * 1000)) },
      { title: 'new leader', value: worst('timeToLeaderMsDuring', time) },
      { title: 'without commits', value: worst('longestGapMs', time) },
      { title: 'failed requests', value: worst('failureRateDuring', percent) },
      { title: 'replica lag', value: worst('replicaLagMsDuring', time) },
      { title: 'elections', value: worst('electionsDuring', formatNumber) },
    ],
    cases,
  )
}

/** Passed, failed and unknown ones beside each other. */
function runsOf({ runs, failed, unknown, asserted, verdict: ofCase }: CaseResult): Html {
  const part = (verdict: string, many: number): Html | false =>
    many > 0 && html`<i class="${verdict}" style="flex: ${many}"></i>`
  const passed = runs - failed - unknown
  const hasTo = ofCase === 'pass' && asserted.some(({ name }) => name === 'expected to fail')
  const words = `${passed} passed, ${failed} failed${hasTo ? ' as they have to' : ''}, ${unknown} unknown`
  return html`<span class="parts" title="${words}" role="img" aria-label="${words}">${part(hasTo ? 'pass' : 'fail', failed)}${part('unknown', unknown)}${part('pass', passed)}</span>`
}
