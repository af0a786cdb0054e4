/**
 * The page of one run: whether it holds, what happened in a few sentences and one picture, then what clients got, elections,
 * replicas and logs, what was looked at, and how to see it again. One file, everything inlined.
 */
import {
  type Html,
  type HtmlPart,
  headline,
  html,
  paragraph,
  renderPage,
  section,
  shellLine,
  table,
  timeSeriesChart,
  verdictBanner,
  verdictMark,
  warning,
} from '@troupe/page'
import type { CaseRun } from '../engine.ts'
import type { CaseResult } from '../run-suite.ts'
import { electionSection } from './election-section.ts'
import { lastWords } from './event-words.ts'
import { figureTables, summaryTable } from './figure-table.ts'
import { inShort, verdictSentence } from './in-short.ts'
import { logSection } from './log-picture.ts'
import { replicaLagOf, serviceOf } from './service.ts'
import type { Story } from './story.ts'
import { timelinePicture } from './timeline-picture.ts'
import { counted, moment, percent, shortFault, time } from './words.ts'

/** Everything about a run that is on its page. */
export interface RunPage {
  readonly result: CaseResult
  readonly run: CaseRun
  readonly story: Story
  readonly reproduce: string
  /** Names of files beside the page. */
  readonly files: {
    readonly index: string
    readonly events: string
    readonly shiviz: string
    /** Of other runs of the case, by their seeds. */
    readonly others: ReadonlyMap<number, string>
  }
}

export function renderRun(page: RunPage): string {
  const { result, run, story, reproduce, files } = page
  const traps = trapsOf(result)
  return renderPage({
    kicker: `Troupe laboratory · ${result.engine} · seed ${run.seed}`,
    title: result.name,
    ...(result.about === undefined ? {} : { lead: result.about }),
    content: [
      verdictBanner(run.verdict, verdictSentence(run)),
      caseNote(result, run),
      html`<ul class="short">${inShort(story, run).map((sentence) => html`<li>${sentence}</li>`)}</ul>`,
      headline(topFigures(run)),
      section('What happened', timelinePicture(story, traps)),
      section('What clients got', ...serviceCharts(story)),
      section('Elections', electionSection(story)),
      section('Replicas', lagChart(story)),
      section('Logs', logSection(story)),
      run.verdict !== 'pass' && section('The last things that happened', lastWords(story)),
      section('What was looked at', lookedAt(page, traps)),
      section('Figures', figureTables(run.figures), allRuns(result)),
      section('See it again', shellLine(reproduce), filesOf(page)),
    ],
    footer: html`<p>${link(files.index, 'All cases')} · ${result.file}${result.source !== undefined && ` · ${result.source}`}</p>`,
  })
}

const link = (to: string, text: string): Html => html`<a href="${to}">${text}</a>`

/** A run may hold where its case does not. */
function caseNote({ verdict, asserted, runs }: CaseResult, run: CaseRun): HtmlPart {
  if (verdict === run.verdict) return false
  const expected = asserted.find(({ name }) => name === 'expected to fail')
  if (verdict === 'pass' && expected !== undefined)
    return warning(html`${verdictMark('pass')} This is what has to come of it: ${expected.text}.`)
  const odd = asserted.filter((one) => one.verdict === verdict).map(({ text }) => text)
  return warning(html`The case, over ${counted(runs, 'run')}, is ${verdictMark(verdict)}: ${odd.join('; ')}`)
}

function trapsOf({ asserted }: CaseResult): ReadonlySet<string> {
  const named = asserted.filter(({ name }) => name === 'sometimes' || name === 'never')
  return new Set(named.map(({ text }) => text.replace(/: in .*$/, '')))
}

function topFigures({ figures }: CaseRun) {
  const most = (values: readonly number[] | undefined): string =>
    values === undefined || values.length === 0 ? '–' : time(Math.max(...values))
  const sum = (values: readonly number[] = []): number => values.reduce((so, value) => so + value, 0)
  const writes = [figures.writesBefore, figures.writesDuring, figures.writesAfter].map((values) =>
    sum(values),
  )
  const recovery = figures.recoverySecondsDuring?.map((seconds) => seconds * 1000)
  return [
    { value: most(recovery), label: 'recovery, for clients' },
    { value: most(figures.timeToLeaderMsDuring), label: 'to a new leader' },
    { value: most(figures.longestGapMs), label: 'without a commit' },
    { value: percent(sum(figures.failureRateDuring)), label: 'of requests failed' },
    { value: most(figures.replicaLagMsDuring), label: 'lag of a replica' },
    { value: writes.join(' / '), label: 'writes before / during / after' },
  ]
}

/** Bands that say what was done, on every chart. */
function marksOf({ faults, elections }: Story) {
  const spans = faults
    .filter(({ fromMs, toMs }) => toMs > fromMs)
    .map((fault) => ({
      from: fault.fromMs / 1000,
      to: fault.toMs / 1000,
      label: shortFault(fault),
      kind: 'fault' as const,
    }))
  const markers = elections
    .filter(({ electedMs }) => electedMs !== undefined)
    .map(({ electedMs = 0, leader }) => ({
      at: electedMs / 1000,
      label: `${leader} elected`,
      kind: 'election' as const,
    }))
  return { spans, markers }
}

function serviceCharts(story: Story): readonly Html[] {
  const { atMs, answeredPerSecond, failedPerSecond, p50Ms, maxMs } = serviceOf(story)
  if (story.operations.length === 0) return [paragraph('No client asked for anything.')]
  const shared = { x: { label: 'time, s' }, xs: atMs.map((ms) => ms / 1000), ...marksOf(story) }
  const rates = timeSeriesChart({
    title: 'Operations',
    note: 'Red bands are faults; dashed lines are elections. Clients stop when all is healed, but for a few fresh questions.',
    y: { label: 'operations/s' },
    ...shared,
    series: [
      { label: 'answered', values: answeredPerSecond },
      { label: 'refused, or nobody knows', values: failedPerSecond },
    ],
  })
  const latencies = timeSeriesChart({
    title: 'How long answers took',
    y: { label: 'latency, ms', isLog: true },
    ...shared,
    series: [
      { label: 'median', values: p50Ms },
      { label: 'longest', values: maxMs },
    ],
  })
  return [rates, latencies]
}

function lagChart(story: Story): Html {
  const { atMs, nodes } = replicaLagOf(story)
  if (nodes.length === 0) return paragraph('Nothing was told of the logs.')
  return timeSeriesChart({
    title: 'How far each replica is behind',
    note: 'Entries that are committed and not applied there; a gap is a node that is down.',
    x: { label: 'time, s' },
    y: { label: 'entries behind' },
    xs: atMs.map((ms) => ms / 1000),
    series: nodes.map(({ node, entries }) => ({ label: node, values: entries })),
    ...marksOf(story),
  })
}

function lookedAt({ result, run, story }: RunPage, traps: ReadonlySet<string>): Html {
  const asserted = table(
    'What the file asserts, over all runs of the case',
    [
      { title: 'assertion', value: ({ name }) => name, align: 'left' },
      { title: 'verdict', value: ({ verdict }) => verdictMark(verdict), align: 'left' },
      { title: 'what was found', value: ({ text }) => text, align: 'left', isWrapped: true },
    ],
    result.asserted,
  )
  const broken = run.failure?.invariant
  const invariants = (result.invariants ?? []).map(
    (name) => html`<li>${verdictMark(name === broken ? 'fail' : 'pass')} ${name}</li>`,
  )
  const foreign = broken !== undefined && !(result.invariants ?? []).includes(broken)
  return html`${asserted}
<h3>Invariants, after every event of this run</h3>
<ul class="checks">${foreign && html`<li>${verdictMark('fail')} ${broken}</li>`}${invariants}</ul>
<h3>Dangerous places that this run has reached</h3>
${situationTable(story, traps)}`
}

function situationTable({ situations }: Story, traps: ReadonlySet<string>): Html {
  const firsts = [...new Map(situations.toReversed().map((one) => [one.name, one])).values()].reverse()
  if (firsts.length === 0) return paragraph('None of those that are known.')
  const rows = firsts.toSorted((left, right) => Number(traps.has(right.name)) - Number(traps.has(left.name)))
  const all = table(
    'When each was reached first',
    [
      { title: 'place', value: ({ name }) => name, align: 'left' },
      { title: 'at', value: ({ atMs }) => moment(atMs) },
      { title: '', value: ({ name }) => (traps.has(name) ? 'a trap of this case' : ''), align: 'left' },
    ],
    rows,
  )
  return html`<details><summary>${counted(rows.length, 'place')}</summary>${all}</details>`
}

function allRuns({ figures, runs }: CaseResult): Html | false {
  return (
    runs > 1 &&
    html`<details><summary>Over all ${runs} runs of the case</summary>${summaryTable(figures)}</details>`
  )
}

function filesOf({ files, run }: RunPage): Html {
  const others = [...files.others].filter(([seed]) => seed !== run.seed)
  return html`<p>${link(files.events, 'Event log')} (NDJSON, one object a line) · ${link(files.shiviz, 'for ShiViz')}, which draws who could know of what.</p>
${others.length > 0 && html`<p>Other runs of this case: ${others.map(([seed, file]) => html`${link(file, `seed ${seed}`)} `)}</p>`}`
}
