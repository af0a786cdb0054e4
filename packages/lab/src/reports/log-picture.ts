/** Logs beside each other: where they had parted when the faults were over, and what they are in the end. */
import { type Html, html, type LaneRule, lanesPicture, paragraph, table } from '@troupe/page'
import { compareLogs, type Divergence, lastOf, referenceOf } from './log-comparison.ts'
import type { LogPicture, Story, Told } from './story.ts'
import { toneOfTerm } from './timeline-picture.ts'
import { counted, moment } from './words.ts'

/** Of long logs the end: before it they are the same. */
const MOST_ENTRIES = 400

export function logSection(story: Story): Html {
  const pictures = shownOf(story).map(({ atMs, logs }) => pictureAt(atMs, logs, story))
  const cuts =
    story.cuts.length > 0 &&
    table('Logs that were mended: entries that did not fit the log of their leader', cutColumns, story.cuts)
  return html`${pictures}${cuts}`
}

type LogsAt = Story['logsAt'][number]

/** Where they had parted most, and the end. */
function shownOf({ logsAt }: Story): readonly LogsAt[] {
  const last = logsAt.at(-1)
  const worst = logsAt.slice(0, -1).toSorted((left, right) => partedOf(right) - partedOf(left))[0]
  return [worst, last].filter((one) => one !== undefined)
}

/** Entries of all logs that are not those of the one that is to win; what is only lacking counts little. */
function partedOf({ logs }: LogsAt): number {
  const reference = referenceOf(logs)
  if (reference === undefined) return 0
  return compareLogs(logs, reference).reduce((sum, { parted, missing }) => sum + parted + missing / 1e6, 0)
}

const cutColumns = [
  { title: 'node', value: ({ node }: Told<'cut'>) => node, align: 'left' as const },
  { title: 'at', value: ({ atMs }: Told<'cut'>) => moment(atMs) },
  { title: 'parted at index', value: ({ index }: Told<'cut'>) => `${index}` },
  { title: 'entries overwritten', value: ({ entries }: Told<'cut'>) => `${entries}` },
  {
    title: 'their terms',
    value: ({ terms }: Told<'cut'>) => terms.map(({ term }) => `${term}`).join(', '),
    align: 'left' as const,
  },
  { title: 'by the leader of term', value: ({ term }: Told<'cut'>) => `${term}` },
]

function pictureAt(atMs: number, logs: readonly LogPicture[], story: Story): Html {
  const present = logs.filter((log) => lastOf(log) > 0)
  const reference = referenceOf(present)
  if (reference === undefined) return paragraph('No log had any entries.')
  const isEnd = atMs >= story.endMs
  const last = Math.max(...present.map(lastOf))
  const first = firstShown(present, last)
  const compared = compareLogs(present, reference)
  return lanesPicture({
    title: isEnd ? 'The logs in the end' : `The logs when they differed most, at ${moment(atMs)}`,
    note: sentence(compared, reference.node),
    axis: 'index of the entry',
    from: first - 1,
    to: last,
    lanes: present.map((log) => ({
      label: log.node,
      segments: segmentsOf(log, first),
      marks: compared
        .filter(({ node, parts }) => node === log.node && parts !== undefined)
        .map(({ parts = 0, parted }) => ({
          at: parts - 1,
          tone: 'bad' as const,
          shape: 'diamond' as const,
          label: `parts at ${parts}: ${counted(parted, 'entry', 'entries')}`,
          title: `differs from ${reference.node} from index ${parts} on`,
        })),
    })),
    rules: commitRule(present),
  })
}

const firstShown = (logs: readonly LogPicture[], last: number): number =>
  Math.max(1, Math.min(...logs.map(({ base }) => base + 1)), last - MOST_ENTRIES)

function segmentsOf({ node, base, terms }: LogPicture, first: number) {
  const snapshot =
    base >= first
      ? [
          {
            from: first - 1,
            to: base,
            tone: 'muted' as const,
            weight: 'faint' as const,
            label: 'snapshot',
            title: `${node}: everything up to ${base} is in its snapshot`,
          },
        ]
      : []
  const entries = terms
    .filter(({ to }) => to >= first)
    .map(({ from, to, term }) => ({
      ...{ from: Math.max(from, first) - 1, to, tone: toneOfTerm(term), weight: 'full' as const },
      label: `term ${term}`,
      title: `${node}: ${from} to ${to} of term ${term}`,
    }))
  return [...snapshot, ...entries]
}

function commitRule(logs: readonly LogPicture[]): LaneRule[] {
  const commit = Math.max(0, ...logs.map((log) => log.commit))
  return commit === 0 ? [] : [{ at: commit, label: `committed up to ${commit}`, tone: 'good' }]
}

function sentence(compared: readonly Divergence[], reference: string): string {
  const parted = compared.filter(({ parts }) => parts !== undefined)
  const behind = compared.filter(({ parts, missing }) => parts === undefined && missing > 0)
  if (parted.length === 0 && behind.length === 0) return 'All of them are the same.'
  const parts = parted.map(
    ({ node, parts: at, parted: count }) =>
      `${node} parts from ${reference} at ${at}, with ${counted(count, 'entry', 'entries')} of its own`,
  )
  const lacks = behind.map(
    ({ node, missing }) => `${node} lacks the last ${counted(missing, 'entry', 'entries')}`,
  )
  return `${[...parts, ...lacks].join('; ')}.`
}
