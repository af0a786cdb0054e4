import { type Html, html, paragraph, table } from '@troupe/page'
import type { Election } from './elections.ts'
import type { Story } from './story.ts'
import { counted, moment, time } from './words.ts'

/** More terms than these nobody reads; the first and the last ones say most. */
const MOST = 60

export function electionSection(story: Story): Html {
  const { elections, staleMessages } = story
  if (elections.length === 0) return paragraph('Nobody asked for votes.')
  const split = elections.filter(isSplit)
  const shown =
    elections.length <= MOST ? elections : [...elections.slice(0, MOST / 2), ...elections.slice(-MOST / 2)]
  const left = elections.length - shown.length
  return html`${paragraph(sentence(elections, split, staleMessages.length))}
${table(`Each term that somebody asked for${left > 0 ? `, but for ${left} in the middle` : ''}`, columns(story.endMs), shown)}
${table('Each node', nodeColumns, historyOf(story))}`
}

const isSplit = ({ leader, candidates }: Election): boolean => leader === undefined && candidates.length > 1

function sentence(all: readonly Election[], split: readonly Election[], stale: number): string {
  const elected = all.filter(({ leader }) => leader !== undefined).length
  const parts = [
    `${counted(all.length, 'election')}, of which ${counted(elected, 'has', 'have')} a leader`,
    split.length > 0
      ? `${counted(split.length, 'vote')} split (terms ${split.map(({ term }) => term).join(', ')})`
      : 'no split vote',
    `${counted(stale, 'message')} of an earlier term came`,
  ]
  return `${parts.join('; ')}.`
}

const columns = (endMs: number) => [
  { title: 'term', value: ({ term }: Election) => `${term}`, align: 'left' as const },
  { title: 'asked at', value: ({ atMs }: Election) => moment(atMs) },
  {
    title: 'candidates',
    value: ({ candidates }: Election) => candidates.join(', ') || 'handed over',
    align: 'left' as const,
  },
  {
    title: 'elected',
    value: (election: Election) =>
      election.leader ?? (isSplit(election) ? 'nobody: the vote split' : 'nobody'),
    align: 'left' as const,
  },
  {
    title: 'took',
    value: ({ atMs, electedMs }: Election) => (electedMs === undefined ? '–' : time(electedMs - atMs)),
  },
  {
    title: 'led for',
    value: ({ electedMs, endedMs = endMs }: Election) =>
      electedMs === undefined ? '–' : time(endedMs - electedMs),
  },
  {
    title: 'until it',
    value: ({ leader, why }: Election) => (leader === undefined ? '' : (why ?? 'led to the end')),
    align: 'left' as const,
  },
]

interface NodeHistory {
  readonly node: string
  readonly asked: number
  readonly won: readonly number[]
  readonly leading: number
}

const nodeColumns = [
  { title: 'node', value: ({ node }: NodeHistory) => node, align: 'left' as const },
  { title: 'asked for votes', value: ({ asked }: NodeHistory) => `${asked}` },
  { title: 'was elected', value: ({ won }: NodeHistory) => `${won.length}` },
  { title: 'in terms', value: ({ won }: NodeHistory) => won.slice(0, 12).join(', '), align: 'left' as const },
  { title: 'led for', value: ({ leading }: NodeHistory) => time(leading) },
]

/** What each node has won and lost. */
function historyOf({ nodes, elections, endMs }: Story): readonly NodeHistory[] {
  return [...nodes.keys()].map((node) => {
    const won = elections.filter(({ leader }) => leader === node)
    const asked = elections.filter(({ candidates }) => candidates.includes(node)).length
    const leading = won.reduce((sum, { electedMs = 0, endedMs = endMs }) => sum + endedMs - electedMs, 0)
    return { node, asked, won: won.map(({ term }) => term), leading }
  })
}
