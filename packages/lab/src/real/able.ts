/** What engines with real nodes cannot do of a case: found before anything runs, each with its place. */
import { isTerm, MAX_TERM } from '@troupe/core'
import type { FigureName } from '../figures.ts'
import { assertionsOf } from '../scenario/assertions-of.ts'
import { composedKinds } from '../scenario/composed.ts'
import { onEngine } from '../scenario/knobs.ts'
import type { Case } from '../scenario/read-scenario.ts'
import type { ClusterSpec } from '../scenario/scenario.ts'
import { namesIn, type StepFields, type StepKind } from '../scenario/steps.ts'
import { figuresIn } from '../scenario/unread.ts'
import { type Visited, walk } from '../scenario/walk.ts'
import type { Path, Problem } from '../schema/schema.ts'
import { unobservable, unobservableInvariants } from './observable.ts'

/** What differs between them. */
export interface Abilities {
  readonly engine: string
  /** Steps that it has no way to do, and what is expected instead. */
  readonly cannot: Readonly<Partial<Record<StepKind, string>>>
  readonly durabilities: readonly string[]
  /** Why the peers of a node that dies always hear of it. */
  readonly cannotDieSilently?: string
  /** What cannot happen to what is sent by chance, and what to write instead. */
  readonly cannotHappen?: Readonly<Partial<Record<keyof StepFields['network'], string>>>
  /** The same, of links that clients are at one end of. */
  readonly cannotHappenToClients?: Readonly<Partial<Record<keyof StepFields['network'], string>>>
  /** Figures that it has nothing to measure by, and why. */
  readonly cannotMeasure?: Readonly<Partial<Record<FigureName, string>>>
}

/** What no real node tells. */
export const neverMeasured: Abilities['cannotMeasure'] = {
  acknowledgedLost: 'only in sim: on real nodes the history says whether anything is lost',
}

const isOnly = 'only in sim: no real node can do that'

/** What no real node can do. */
export const neverOnRealNodes: Abilities['cannot'] = {
  flap: isOnly,
}

/** What the nodes of a process on its own need, and threads do not have. */
export const onlyOnStreams: Abilities['cannot'] = {
  toxic: 'link or network: toxics are for streams, which only tcp has',
}

/** What a real stage does. A step that is not here is new, and nobody has said yet how it is done on real nodes. */
const known: ReadonlySet<StepKind> = new Set<StepKind>([
  ...(['wait', 'warmup', 'serial', 'parallel', 'every', 'schedule', 'until', 'when'] as const),
  ...(['statusCheck', 'select', 'heal', 'partition', 'link', 'network', 'toxic', 'flap', 'hangUp'] as const),
  ...composedKinds,
  ...([
    'kill',
    'start',
    'pause',
    'stall',
    'wipe',
    'damage',
    'rollBack',
    'disk',
    'clock',
    'failpoint',
    'heap',
    'outOfMemory',
    'crashLoop',
    'term',
  ] as const),
  ...(['members', 'transfer', 'elect', 'snapshot', 'write', 'read', 'abandon'] as const),
])

type Tell = (path: Path, value: unknown, expected: string) => void

export function unableOf({ scenario }: Case, abilities: Abilities): Problem[] {
  const { engine, cannot, durabilities, cannotDieSilently } = abilities
  const problems: Problem[] = []
  const report: Tell = (path, value, expected) => {
    problems.push({ path, value, expected })
  }
  const { setup = [], phases, expect } = scenario
  const { cluster = {} } = onEngine(scenario, engine)
  if (cluster.durability !== undefined && !durabilities.includes(cluster.durability)) {
    report(['cluster', 'durability'], cluster.durability, `on ${engine} one of ${durabilities.join(', ')}`)
  }
  if (cluster.durability === 'memory' && cluster.stateOnDisk === true) {
    const expected = "none with durability 'memory': a state on the disk is no further than the log on it"
    report(['cluster', 'stateOnDisk'], true, expected)
  }
  for (const visited of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
    const { kind, fields, path } = visited
    const isLie = kind === 'disk' && (fields as { readonly mode: string }).mode === 'lie'
    const expected = cannot[kind] ?? (known.has(kind) && !isLie ? undefined : isOnly)
    unableToFiles(visited, cluster, engine, report)
    if (expected !== undefined) report(path, kind, `a step that ${engine} can do (${expected})`)
    if (kind === 'kill' && cannotDieSilently !== undefined && (fields as StepFields['kill']).silent === true)
      report([...path, 'silent'], true, `none on ${engine} (${cannotDieSilently})`)
    for (const [field, name] of situationsIn(visited)) unseen(name, [...path, field])
    if (kind === 'network') unableToFrames(fields as StepFields['network'], path, abilities, report)
  }
  for (const { name, path, engines = [engine] } of figuresIn(scenario)) {
    const why = abilities.cannotMeasure?.[name]
    if (why !== undefined && engines.includes(engine))
      report(path, name, `a figure that ${engine} can measure (${why})`)
  }
  for (const { spec, path, engines } of assertionsOf(scenario)) {
    if (engines !== undefined && !engines.includes(engine)) continue
    for (const kind of ['sometimes', 'never'] as const) {
      const names = (spec as Readonly<Record<string, readonly string[] | undefined>>)[kind] ?? []
      for (const [index, name] of names.entries()) unseen(name, [...path, kind, index])
    }
  }
  for (const [at, name] of (expect?.fail ?? []).entries()) {
    if (unobservableInvariants.has(name)) {
      report(['expect', 'fail', at], name, `an invariant that is looked at on ${engine}`)
    }
  }
  return problems

  function unseen(name: string, path: Path): void {
    if (unobservable.has(name)) report(path, name, `a situation that can be seen on ${engine}`)
  }
}

/** What cannot happen by chance. */
function unableToFrames(fields: StepFields['network'], path: Path, abilities: Abilities, report: Tell): void {
  const { engine, cannotHappen = {}, cannotHappenToClients = {} } = abilities
  const { from, to } = fields.on ?? {}
  const isOfClients = [from, to].some((side) => side !== undefined && namesIn(side).every(isClient))
  const none = isOfClients ? { ...cannotHappenToClients, ...cannotHappen } : cannotHappen
  for (const [effect, why] of Object.entries(none)) {
    const value = (fields as Readonly<Record<string, unknown>>)[effect]
    if (value !== undefined) report([...path, effect], value, `none on ${engine} (${why})`)
  }
}

const isClient = (name: string): boolean => name === 'clients' || /^c\d+$/.test(name)

/** What cannot happen to what nodes keep. */
function unableToFiles(visited: Visited, cluster: ClusterSpec, engine: string, report: Tell): void {
  const { kind, fields, path } = visited
  if (cluster.durability === 'memory' && needsDirectory(visited))
    report(path, kind, "nodes with a directory: durability 'memory' leaves nothing to start from")
  // A state on the disk would know of more than the log.
  if (kind === 'rollBack' && cluster.stateOnDisk === true)
    report(path, kind, `nodes of ${engine} whose state is in memory: stateOnDisk keeps what is taken back`)
  if (kind !== 'term') return
  const { becomes } = fields as StepFields['term']
  if (!isTerm(becomes))
    report([...path, 'becomes'], becomes, `at most ${MAX_TERM} on ${engine}: beyond it no node starts`)
}

const keptInFiles: ReadonlySet<StepKind> = new Set([
  ...(['kill', 'wipe', 'failpoint', 'damage', 'rollBack', 'outOfMemory', 'crashLoop', 'term'] as const),
])

/** Whether a node has to find again what it had. */
const needsDirectory = ({ kind, fields }: Visited): boolean =>
  keptInFiles.has(kind) || (kind === 'members' && (fields as StepFields['members']).replace !== undefined)

function* situationsIn({ kind, fields }: Visited): Iterable<[field: string, name: string]> {
  if (kind !== 'until' && kind !== 'when') return
  const { reached } = fields as { readonly reached?: string }
  if (reached !== undefined) yield ['reached', reached]
}
