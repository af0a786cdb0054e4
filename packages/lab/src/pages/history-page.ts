/** The page of a checked history: one file, nothing loaded. */
import type { CheckFailure, CheckReport, FaultBand, ShownOperation } from '@troupe/check'
import { escapeHtml } from '@troupe/page'
import { type LaneBar, lanesStyle, lanesSvg } from './lanes.ts'

export interface HistoryPage {
  /** The file, or what the history is of. */
  readonly name: string
  readonly report: CheckReport
  readonly faults: readonly FaultBand[]
  /** The command that makes it again. */
  readonly command: string
}

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
/** The picture begins far from what it is about. */
const SCROLL =
  "document.querySelector('.lanes .impossible')?.scrollIntoView({ inline: 'center', block: 'nearest' })"

const VERDICTS = { pass: 'passes', fail: 'fails', unknown: 'could not be decided' } as const

/** The page as the text of its file. */
export function historyPage({ name, report, faults, command }: HistoryPage): string {
  const { verdict, failure, model } = report
  const title = `${name}: ${model} ${VERDICTS[verdict]}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeHtml(title)} · Troupe</title>
<style>${STYLE}${lanesStyle}</style>
</head>
<body>
<main>
<header><p class="kicker">Checked history</p><h1><span class="${verdict}">${verdict}</span> ${escapeHtml(name)}</h1>
<p class="lead">${escapeHtml(leadOf(report))}</p></header>
${factsOf(report)}
${failure === undefined ? '' : failureHtml(failure, faults)}
${figuresHtml(report)}
<footer>${escapeHtml(command)}</footer>
</main>
<script>${SCROLL}</script>
</body>
</html>
`
}

function leadOf({ failure, reason, verdict, model }: CheckReport): string {
  if (failure) return failure.partition === '' ? failure.reason : `${failure.partition}: ${failure.reason}`
  return reason ?? (verdict === 'pass' ? `Everything in it is what ${model} allows.` : '')
}

function factsOf({ model, operationCount, partitionCount, stepCount, failure }: CheckReport): string {
  const prefix = failure?.prefixLength
  const facts: readonly (readonly [string, string])[] = [
    ['model', model],
    ['operations', operationCount.toLocaleString('en-US')],
    ['parts', partitionCount.toLocaleString('en-US')],
    ['steps of the search', stepCount.toLocaleString('en-US')],
    ...(prefix === undefined
      ? []
      : ([
          [
            failure?.isShortest ? 'shortest prefix that fails' : 'a prefix that fails',
            `${prefix.toLocaleString('en-US')} operations`,
          ],
        ] as const)),
  ]
  return `<dl>${facts.map(([term, text]) => `<div><dt>${term}</dt><dd>${escapeHtml(text)}</dd></div>`).join('')}</dl>`
}

function failureHtml(failure: CheckFailure, faults: readonly FaultBand[]): string {
  const { operations, omittedCount, states, prefixLength } = failure
  const hasPath = operations.some(({ place }) => place !== undefined)
  const notes = [
    ...(omittedCount > 0 ? [`${omittedCount.toLocaleString('en-US')} earlier operations are left out.`] : []),
    ...(states.length > 0
      ? [`Before the impossible answer the state can have been: ${states.join(' | ')}.`]
      : []),
    ...(prefixLength === undefined || hasPath
      ? []
      : ['No order of what came before is shown: none was found within the steps.']),
  ]
  return `<section><h2>${prefixLength === undefined ? 'Operations that have to do with it' : 'The end of the prefix'}</h2>
<p class="legend">${legendOf(operations, faults)}</p>
${picture(failure, faults)}
${notes.map((note) => `<p>${escapeHtml(note)}</p>`).join('\n')}</section>
<section><h2>As a table</h2>${tableOf(operations)}</section>`
}

const LEGEND = {
  path: '<i class="path">1</i> an order that explains what returned before',
  impossible: '<i class="impossible">✗</i> the answer that nothing explains',
  witness: '<i class="witness"></i> has a part in why',
  open: '<i class="open"></i> not answered yet, or never',
  band: '<i class="band"></i> a fault',
} as const

function legendOf(operations: readonly ShownOperation[], faults: readonly FaultBand[]): string {
  const tones = new Set(operations.map(toneOf))
  return [
    ...(operations.some(({ place }) => place !== undefined) ? [LEGEND.path] : []),
    ...(['impossible', 'witness', 'open'] as const)
      .filter((tone) => tones.has(tone))
      .map((tone) => LEGEND[tone]),
    ...(faults.length > 0 ? [LEGEND.band] : []),
  ].join(' ')
}

function picture({ operations, reason, prefixLength }: CheckFailure, faults: readonly FaultBand[]): string {
  const times = new Map(
    operations.flatMap(({ callAt, callMs, returnAt, returnMs }) => [
      [callAt, callMs] as const,
      [returnAt, returnMs] as const,
    ]),
  )
  const first = Math.min(...operations.map(({ callAt }) => callAt))
  const last = Math.max(...operations.map(({ callAt, returnAt }) => returnAt ?? callAt))
  const bands = faults
    .filter(({ fromAt, toAt }) => fromAt <= last && (toAt === null || toAt >= first))
    .map(({ text, fromAt, toAt }) => ({ text, from: fromAt, to: toAt }))
  const blocked = operations.find(({ role }) => role === 'blocked')
  const endAt = prefixLength === undefined ? undefined : (blocked?.returnAt ?? undefined)
  return lanesSvg({
    endAt,
    bars: operations.toSorted((left, right) => left.process - right.process).map(barOf),
    bands,
    tickOf: (at) => {
      const ms = times.get(at)
      return ms === undefined ? undefined : `${Math.round(ms * 10) / 10} ms`
    },
    label: reason,
  })
}

function toneOf({ role, returnAt, outcome }: ShownOperation): LaneBar['tone'] {
  if (role === 'blocked') return 'impossible'
  if (role === 'witness') return 'witness'
  return outcome === 'ok' && returnAt !== null ? 'done' : 'open'
}

function barOf(operation: ShownOperation): LaneBar {
  const { process, callAt, returnAt, text, line, place } = operation
  const where = line === undefined ? '' : `, line ${line}`
  return {
    lane: `client ${process}`,
    from: callAt,
    to: returnAt,
    text,
    title: `${text} (client ${process}${where}, ${callAt} … ${returnAt ?? 'open'})`,
    tone: toneOf(operation),
    place,
  }
}

function tableOf(operations: readonly ShownOperation[]): string {
  const rows = operations.toSorted(
    (left, right) =>
      (left.place ?? Number.MAX_VALUE) - (right.place ?? Number.MAX_VALUE) || left.callAt - right.callAt,
  )
  const heads = ['order', 'line', 'client', 'called', 'returned', 'operation']
  const cells = ({ place, role, line, process, callAt, returnAt, text }: ShownOperation): string[] => [
    role === 'blocked' ? '✗' : String(place ?? ''),
    String(line ?? ''),
    String(process),
    String(callAt),
    String(returnAt ?? 'open'),
    text,
  ]
  const row = (operation: ShownOperation): string =>
    `<tr class="${operation.role ?? ''}">${cells(operation)
      .map((cell) => `<td>${escapeHtml(cell)}</td>`)
      .join('')}</tr>`
  return `<div class="table"><table><thead><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr></thead><tbody>${rows.map(row).join('')}</tbody></table></div>`
}

function figuresHtml({ figures }: CheckReport): string {
  const entries = Object.entries(figures).filter(([, value]) => value !== undefined)
  if (entries.length === 0) return ''
  const shown = (value: unknown): string => {
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
    return escapeHtml(text.length > 400 ? `${text.slice(0, 400)}…` : text)
  }
  const rows = entries.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${shown(value)}</td></tr>`)
  return `<section><h2>Figures</h2><div class="table"><table><tbody>${rows.join('')}</tbody></table></div></section>`
}

const STYLE = `
:root { --paper: #f7f8fa; --ink: #1d2129; --quiet: #5f6878; --line: #d9dde5; --pass: #1f7a4d; --fail: #c4302b; --unknown: #9a6700; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #0e1014; --ink: #e7eaf0; --quiet: #98a1b2; --line: #2c323c; --pass: #57c38f; --fail: #f0706a; --unknown: #e0b04a; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 28px 20px 40px; }
.kicker { margin: 0; color: var(--quiet); font-size: 13px; }
h1 { margin: 2px 0 4px; font-size: 24px; overflow-wrap: anywhere; } h2 { font-size: 17px; margin: 26px 0 8px; }
h1 span { text-transform: uppercase; font-size: 15px; padding: 2px 9px; border-radius: 5px; color: var(--paper); vertical-align: 3px; }
h1 .pass { background: var(--pass); } h1 .fail { background: var(--fail); } h1 .unknown { background: var(--unknown); }
.lead { margin: 0; font-size: 17px; overflow-wrap: anywhere; }
dl { display: flex; flex-wrap: wrap; gap: 8px 32px; margin: 16px 0 0; } dt { color: var(--quiet); font-size: 13px; } dd { margin: 0; font-weight: 600; }
.legend { color: var(--quiet); font-size: 13px; margin: 0 0 8px; }
.legend i { display: inline-block; min-width: 16px; height: 16px; line-height: 16px; margin: 0 3px 0 12px; border-radius: 4px; text-align: center; font-style: normal; font-size: 11px; vertical-align: -2px; }
.legend i:first-child { margin-left: 0; }
.legend .path { background: #1f7a4d; color: #fff; border-radius: 8px; } .legend .impossible { color: var(--fail); font-size: 16px; font-weight: 700; }
.legend .witness { background: #d39b1e; } .legend .open { border: 1px dashed var(--quiet); height: 14px; } .legend .band { background: #8a5cd6; opacity: .4; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-size: 13.5px; } th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--quiet); font-weight: 500; } td { overflow-wrap: anywhere; } tr.blocked td { color: var(--fail); font-weight: 600; } tr.witness td { font-weight: 600; }
footer { margin-top: 32px; color: var(--quiet); font-size: 13px; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
`
