/** The first picture of a page: who led when, what was done to the cluster, and what broke, beside each other. */
import {
  type Html,
  type Lane,
  type LaneMark,
  type LaneRule,
  type LaneSegment,
  lanesPicture,
  type Tone,
} from '@troupe/page'
import type { LastingFault, Story, Stretch } from './story.ts'
import { clipped, counted, moment, shortFault, time } from './words.ts'

/** More rows of faults than this hide the nodes. */
const MAX_FAULT_ROWS = 8
const MAX_TRAPS = 5
const TERM_TONES: readonly Tone[] = ['series-0', 'series-1', 'series-2', 'series-3', 'series-5', 'series-6']

/** Terms that follow each other never look the same. */
export const toneOfTerm = (term: number): Tone => TERM_TONES[term % TERM_TONES.length] as Tone

/** @param traps situations that the case asks for */
export function timelinePicture(story: Story, traps: ReadonlySet<string>): Html {
  const { endMs, phases, nodes } = story
  const bands = faultBand(phases.during, phases.after ?? endMs)
  return lanesPicture({
    title: 'Who led when, and what was done',
    note: 'A solid bar is a leader, in the colour of its term; pale ones follow it. Flags in the rows above the nodes are the traps of the case.',
    axis: 'time, s',
    from: story.startMs / 1000,
    to: endMs / 1000,
    lanes: [
      ...faultLanes(story.faults),
      ...[...traps].slice(0, MAX_TRAPS).map((trap) => trapLane(story, trap)),
      ...[...nodes].map(([node, stretches]) => nodeLane(node, stretches, story)),
    ],
    bands,
    rules: rulesOf(story),
    legend: [
      { label: 'leads', tone: 'series-0', weight: 'full' },
      { label: 'follows', tone: 'series-0', weight: 'faint' },
      { label: 'asks for votes', tone: 'warn', weight: 'full' },
      { label: 'down', tone: 'muted', weight: 'open' },
      { label: 'fault', tone: 'bad', weight: 'faint' },
      { label: '◆ entries overwritten', tone: 'bad', weight: 'full' },
    ],
  })
}

const faultBand = (fromMs: number | undefined, toMs: number) =>
  fromMs === undefined ? [] : [{ from: fromMs / 1000, to: toMs / 1000, tone: 'bad' as const }]

function rulesOf({ phases, broken }: Story): LaneRule[] {
  const { during, after } = phases
  const rules: LaneRule[] = []
  if (during !== undefined) rules.push({ at: during / 1000, label: 'faults begin', tone: 'bad' })
  if (after !== undefined) rules.push({ at: after / 1000, label: 'all is healed', tone: 'good' })
  for (const { atMs, invariant } of broken)
    rules.push({ at: atMs / 1000, label: `broken: ${invariant}`, tone: 'bad' })
  return rules
}

/** Faults at the same time stand in rows of their own. */
function faultLanes(faults: readonly LastingFault[]): Lane[] {
  const rows: { endMs: number; segments: LaneSegment[]; marks: LaneMark[] }[] = []
  let left = 0
  for (const fault of faults) {
    const { fromMs, toMs } = fault
    let row = rows.find(({ endMs }) => endMs <= fromMs)
    if (row === undefined && rows.length < MAX_FAULT_ROWS) {
      row = { endMs: 0, segments: [], marks: [] }
      rows.push(row)
    }
    if (row === undefined) {
      left++
      continue
    }
    row.endMs = Math.max(toMs, fromMs + 1)
    const label = shortFault(fault)
    const title = `${moment(fromMs)}${toMs > fromMs ? ` to ${moment(toMs)} (${time(toMs - fromMs)})` : ''}: ${label}`
    if (toMs > fromMs)
      row.segments.push({ from: fromMs / 1000, to: toMs / 1000, tone: 'bad', weight: 'faint', label, title })
    else
      row.marks.push({
        at: fromMs / 1000,
        tone: 'bad',
        shape: 'flag',
        title,
        label,
      })
  }
  return rows.map(({ segments, marks }, at) => {
    const isLast = at === rows.length - 1 && left > 0
    const label = at === 0 ? 'faults' : isLast ? `and ${counted(left, 'fault')} more` : ''
    return { label, segments, marks, isThin: true }
  })
}

function trapLane({ situations }: Story, trap: string): Lane {
  const marks = situations
    .filter(({ name }) => name === trap)
    .map(({ atMs, name }): LaneMark => {
      return { at: atMs / 1000, tone: 'series-2', shape: 'flag', title: `${moment(atMs)}: ${name}` }
    })
  return { label: clipped(trap, 38), segments: [], marks, isThin: true }
}

function nodeLane(node: string, stretches: readonly Stretch[], { cuts }: Story): Lane {
  const marks = cuts
    .filter((cut) => cut.node === node)
    .map(({ atMs, entries, index, term }): LaneMark => {
      const title = `${moment(atMs)}: ${counted(entries, 'entry', 'entries')} from index ${index} on overwritten by the leader of term ${term}`
      return { at: atMs / 1000, tone: 'bad', shape: 'diamond', title }
    })
  return { label: node, segments: stretches.map((stretch) => segmentOf(node, stretch)), marks }
}

function segmentOf(node: string, { fromMs, toMs, role, term }: Stretch): LaneSegment {
  const place = { from: fromMs / 1000, to: toMs / 1000 }
  const title = `${node} ${role === 'down' ? 'is down' : `is ${role} in term ${term}`}, ${moment(fromMs)} to ${moment(toMs)}`
  if (role === 'down') return { ...place, tone: 'muted', weight: 'open', title }
  const tone = toneOfTerm(term)
  if (role === 'leader')
    return { ...place, tone, weight: 'full', label: `leads term ${term}`, shortLabel: `${term}`, title }
  if (role === 'follower') return { ...place, tone, weight: 'faint', title }
  return { ...place, tone: 'warn', weight: 'full', title }
}
