/** All that is known of one point. */
import { element } from '@troupe/page/browser/frame.ts'
import { exact } from '@troupe/page/browser/numbers.ts'
import { amount, axes } from '../axes.ts'
import type { ExplorerData, ExplorerPoint } from '../explorer-data.ts'

export function showPoint(
  card: HTMLElement,
  point: ExplorerPoint,
  data: ExplorerData,
  isPinned: boolean,
): void {
  const title = element('h3', '', `${exact(point.opsPerSecond)} commands/s`)
  if (isPinned) title.append(element('small', '', 'kept: click again to let go'))
  const parts = [
    title,
    pairs([
      ['p50', `${exact(point.p50Ms)} ms`],
      ['p99', `${exact(point.p99Ms)} ms`],
      ['slowest', `${exact(point.maxMs)} ms`],
      ['runs', runsText(point)],
    ]),
    heading('Settings'),
    pairs(
      axes.map(({ name, label, unit }) => [label, `${amount(point[name])}${unit === '' ? '' : ` ${unit}`}`]),
    ),
    heading('Limited by'),
    limitText(point, data),
  ]
  const { stagesMs, utilisation, rates } = point
  if (stagesMs !== undefined) parts.push(heading('Where a command spends its time'), stageBars(stagesMs))
  if (utilisation !== undefined) parts.push(heading('How busy'), busyBars(utilisation))
  parts.push(
    heading('Batches'),
    pairs([
      ['commands/entry', exact(rates.commandsPerEntry)],
      ['entries/message', exact(rates.entriesPerAppend)],
      ['entries/flush', exact(rates.entriesPerFlush)],
      ['flushes/s', exact(rates.flushesPerSecond)],
    ]),
  )
  card.replaceChildren(...parts)
}

function runsText({ runs, opsSpread, isWide }: ExplorerPoint): string {
  if (opsSpread === null) return String(runs)
  return `${runs}, spread ${Math.round(opsSpread * 100)} %${isWide ? ' (wide)' : ''}`
}

const heading = (text: string): HTMLElement => element('h4', '', text)

function pairs(list: readonly (readonly [name: string, value: string])[]): HTMLElement {
  const box = element('dl')
  for (const [name, value] of list) box.append(element('dt', '', name), element('dd', '', value))
  return box
}

function limitText({ limit }: ExplorerPoint, { limitNames }: ExplorerData): HTMLElement {
  const text = element('p', 'why')
  text.append(element('b', '', limitNames[limit.kind] ?? limit.kind), `: ${limit.why}`)
  return text
}

const STAGE_LABELS: Readonly<Record<string, string>> = {
  queued: 'queued at the client',
  mailbox: "the leader's mailbox",
  waiting: 'linger, room in the log',
  stepped: 'the turn that makes its entry',
  replicated: 'on the way to a follower',
  diskQueue: 'behind the flush before',
  flushed: 'flush',
  acknowledged: 'on the way back',
  committed: 'commit',
  applied: 'state machine',
  replied: 'replies',
  returned: 'back at the client',
}

/** Stages of less than this share are told together. */
const SMALL = 0.02

function stageBars(stagesMs: NonNullable<ExplorerPoint['stagesMs']>): HTMLElement {
  const entries = Object.entries(stagesMs)
  const totalMs = entries.reduce((sum, [, ms]) => sum + ms, 0)
  const large = entries.filter(([, ms]) => ms >= SMALL * totalMs)
  const restMs = totalMs - large.reduce((sum, [, ms]) => sum + ms, 0)
  const rows = large.map(([stage, ms]) => ({ label: STAGE_LABELS[stage] ?? stage, ms }))
  if (restMs > 0.005 * totalMs) rows.push({ label: 'everything else', ms: restMs })
  return bars(rows.map(({ label, ms }) => ({ label, share: ms / totalMs, text: `${exact(ms)} ms` })))
}

function busyBars({
  client,
  leader,
  followers,
  processors,
}: NonNullable<ExplorerPoint['utilisation']>): HTMLElement {
  const rows = [
    { label: "client's event loop", share: client },
    { label: "leader's event loop", share: leader },
    { label: "busiest follower's", share: followers },
    { label: 'all processors', share: processors },
  ]
  return bars(
    rows.flatMap(({ label, share }) =>
      share === null ? [] : [{ label, share, text: `${Math.round(share * 100)} %` }],
    ),
  )
}

function bars(
  rows: readonly { readonly label: string; readonly share: number; readonly text: string }[],
): HTMLElement {
  const list = element('ul', 'bars')
  for (const { label, share, text } of rows) {
    const item = element('li')
    const bar = element('span', 'bar')
    bar.style.width = `${Math.max(0.5, share * 100)}%`
    item.append(element('span', '', label), element('span', 'value', text), bar)
    list.append(item)
  }
  return list
}
