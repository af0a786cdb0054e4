/** A cluster's status as a table for people. */
import type { ClusterMember, ClusterStatus, NodeReport } from '@troupe/cluster'
import { aligned, counted } from '../output.ts'

const HEADS = [
  'node',
  'role',
  'term',
  'commit',
  'applied',
  'lag',
  'disk',
  'mailbox',
  'age',
  'suspected',
  'remarks',
]
const NUMBERS = [2, 3, 4, 5, 7, 8]

/** A line for each member: its latest word, how old that is, and what is to be said about it. */
export function statusText({ leader, term, nodes, view }: ClusterStatus): string {
  const head = leader === undefined ? 'nobody leads' : `${leader} leads in term ${counted(term)}`
  const commit = Math.max(0, ...view.map(({ news }) => news?.commit ?? 0))
  const rows = view.map((member) => row(member, commit, reportOf(nodes, member)))
  // Nodes that somebody knows the address of, and nobody has heard of.
  const unheard = nodes.filter(({ id }) => !view.some((member) => member.id === id))
  const others = unheard.map((node) => [node.id, ...Array(9).fill('-'), unreached(node)])
  return `${head}\n\n${aligned([HEADS, ...rows, ...others], NUMBERS)}`
}

const reportOf = (nodes: readonly NodeReport[], { id }: ClusterMember): NodeReport | undefined =>
  nodes.find((node) => node.id === id)

function row(member: ClusterMember, commit: number, report: NodeReport | undefined): string[] {
  const { id, news, ageMs } = member
  const remarks = [standingText(member), unreached(report)].filter((remark) => remark !== '').join(', ')
  if (news === null) return [id, ...Array(8).fill('-'), suspectedText(member), remarks]
  const { role, term, applied, disk, mailboxDepth } = news
  const numbers = [term, news.commit, applied, Math.max(0, commit - applied)].map(counted)
  return [id, role, ...numbers, disk, counted(mailboxDepth), aged(ageMs), suspectedText(member), remarks]
}

const standingText = ({ standing }: ClusterMember): string => {
  if (standing === 'voter') return ''
  return standing === 'learner' ? 'learner' : 'no member'
}

const unreached = (report: NodeReport | undefined): string =>
  report === undefined || report.running ? '' : report.reason

/** By whom; why, where whoever heard of it last suspects it too. */
function suspectedText({ suspectedBy, suspicion }: ClusterMember): string {
  if (suspectedBy.length === 0) return '-'
  return `by ${suspectedBy.join(', ')}${suspicion === null ? '' : `: ${suspicion}`}`
}

/** `12 ms`, `3.4 s`, `5 min`. */
function aged(ms: number | null): string {
  if (ms === null) return '-'
  if (ms < 1000) return `${Math.round(ms)} ms`
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`
}
