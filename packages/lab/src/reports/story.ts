/**
 * What happened in a run, put together from its events: lives and roles of nodes as stretches of time, faults with both ends,
 * elections, what clients got, how far replicas were behind, logs that had parted. What a page shows, without saying how.
 */
import type {
  NodeRole,
  RunEvent,
  RunEventKind,
  RunIdentity,
  RunPhase,
  TermRange,
} from '../events/run-event.ts'
import { type Election, electionsOf } from './elections.ts'

export type Told<Kind extends RunEventKind> = Extract<RunEvent, { kind: Kind }>

export interface Stretch {
  readonly fromMs: number
  readonly toMs: number
  readonly role: NodeRole | 'down'
  readonly term: number
}

export interface LastingFault {
  readonly what: string
  readonly nodes: readonly string[]
  readonly fromMs: number
  /** As it began where it was over at once. */
  readonly toMs: number
}

export interface LogPicture {
  readonly node: string
  readonly base: number
  readonly terms: readonly TermRange[]
  readonly commit: number
}

export interface Story {
  readonly identity: RunIdentity | undefined
  /** When the first node was there: before that a real cluster only opens. */
  readonly startMs: number
  readonly endMs: number
  /** Who belonged to the cluster at any time. */
  readonly members: readonly string[]
  readonly phases: Readonly<Partial<Record<RunPhase, number>>>
  readonly nodes: ReadonlyMap<string, readonly Stretch[]>
  readonly faults: readonly LastingFault[]
  readonly elections: readonly Election[]
  readonly cuts: readonly Told<'cut'>[]
  readonly situations: readonly Told<'situation'>[]
  readonly broken: readonly Told<'broken'>[]
  readonly operations: readonly Told<'operation'>[]
  readonly logs: readonly Told<'log'>[]
  /** Of all nodes, at the healing and at the end, where both were told. */
  readonly logsAt: readonly { readonly atMs: number; readonly logs: readonly LogPicture[] }[]
  readonly staleMessages: readonly Told<'received'>[]
  /** In the order in which they happened. */
  readonly events: readonly RunEvent[]
}

/** Of the picture, before anything is in it. */
const AIR = 0.01

export function storyOf(events: readonly RunEvent[]): Story {
  const of = <Kind extends RunEventKind>(kind: Kind): readonly Told<Kind>[] =>
    events.filter((event): event is Told<Kind> => event.kind === kind)
  const endMs = events.at(-1)?.atMs ?? 0
  const identity = of('run')[0]
  const members = [...new Set(of('members').flatMap(({ nodes }) => nodes))].sort()
  return {
    identity,
    startMs: Math.max(0, (of('started')[0]?.atMs ?? 0) - endMs * AIR),
    endMs,
    members: members.length > 0 ? members : (identity?.nodes ?? []),
    phases: Object.fromEntries(of('phase').map(({ phase, atMs }) => [phase, atMs])),
    nodes: stretchesOf(events, endMs),
    faults: faultsOf(of('fault'), events, endMs),
    elections: electionsOf(events),
    cuts: of('cut'),
    situations: of('situation'),
    broken: of('broken'),
    operations: of('operation'),
    logs: of('log'),
    logsAt: logsAt(of('terms')),
    staleMessages: of('received').filter(({ isStale }) => isStale === true),
    events,
  }
}

/** What each node was, and when. */
function stretchesOf(events: readonly RunEvent[], endMs: number): ReadonlyMap<string, readonly Stretch[]> {
  const stretches = new Map<string, Stretch[]>()
  const open = new Map<string, { fromMs: number; role: Stretch['role']; term: number }>()
  const turn = (node: string, role: Stretch['role'], term: number, atMs: number): void => {
    const last = open.get(node)
    if (last?.role === role && last.term === term) return
    if (last !== undefined && atMs > last.fromMs) stretches.get(node)?.push({ ...last, toMs: atMs })
    if (!stretches.has(node)) stretches.set(node, [])
    open.set(node, { fromMs: atMs, role, term })
  }
  for (const event of events) {
    if (event.kind === 'run') for (const node of event.nodes) turn(node, 'down', 0, 0)
    if (event.kind === 'role') turn(event.node, event.role, event.term, event.atMs)
    if (event.kind === 'started') turn(event.node, 'follower', open.get(event.node)?.term ?? 0, event.atMs)
    if (event.kind === 'stopped') turn(event.node, 'down', open.get(event.node)?.term ?? 0, event.atMs)
  }
  for (const [node, last] of open) stretches.get(node)?.push({ ...last, toMs: Math.max(endMs, last.fromMs) })
  return stretches
}

/** A crash is over at once, and a node that is down is not: until it starts. */
function untilStarted(node: string | undefined, fromMs: number, events: readonly RunEvent[]): number {
  const isOfNode = (event: RunEvent): boolean =>
    'node' in event && event.node === node && event.atMs >= fromMs
  const stopped = events.find((event) => event.kind === 'stopped' && isOfNode(event))
  if (stopped?.atMs !== fromMs) return fromMs
  return events.find((event) => event.kind === 'started' && isOfNode(event))?.atMs ?? fromMs
}

function faultsOf(
  told: readonly Told<'fault'>[],
  events: readonly RunEvent[],
  endMs: number,
): readonly LastingFault[] {
  const ends = new Map(
    told.flatMap(({ id, edge, atMs }) => (edge === 'end' && id !== undefined ? [[id, atMs]] : [])),
  )
  return told.flatMap(({ what, nodes, atMs: fromMs, id, edge }) => {
    if (edge === 'end') return []
    const toMs = id === undefined ? untilStarted(nodes[0], fromMs, events) : (ends.get(id) ?? endMs)
    return [{ what, nodes, fromMs, toMs }]
  })
}

/** All logs are told at the same time. */
function logsAt(told: readonly Told<'terms'>[]): Story['logsAt'] {
  const groups = [...Map.groupBy(told, ({ atMs }) => atMs)]
  return groups.map(([atMs, group]) => ({
    atMs,
    logs: group.map(({ node, base, terms, commit }) => ({ node, base, terms, commit })),
  }))
}
