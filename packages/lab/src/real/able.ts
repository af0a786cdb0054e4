/** What engines with real nodes cannot do of a case: found before anything runs, each with its place. */
import { assertionsOf } from '../scenario/assertions-of.ts'
import { onEngine } from '../scenario/knobs.ts'
import type { Case } from '../scenario/read-scenario.ts'
import type { StepFields, StepKind } from '../scenario/steps.ts'
import { type Visited, walk } from '../scenario/walk.ts'
import type { Path, Problem } from '../schema/schema.ts'
import { unobservable } from './observable.ts'

/** What differs between them. */
export interface Abilities {
  readonly engine: string
  /** Steps that it has no way to do, and what is expected instead. */
  readonly cannot: Readonly<Partial<Record<StepKind, string>>>
  readonly durabilities: readonly string[]
}

const isOnly = 'only in sim: no real node can do that'

/** What no real node can do. */
export const neverOnRealNodes: Abilities['cannot'] = {
  damage: isOnly,
  rollBack: isOnly,
  flap: isOnly,
}

/** What the nodes of a process on its own need, and threads do not have. */
export const onlyOnStreams: Abilities['cannot'] = {
  toxic: 'link or network: toxics are for streams, which only tcp has',
}

export function unableOf({ scenario }: Case, { engine, cannot, durabilities }: Abilities): Problem[] {
  const problems: Problem[] = []
  const report = (path: Path, value: unknown, expected: string): void => {
    problems.push({ path, value, expected })
  }
  const { setup = [], phases } = scenario
  const { cluster = {} } = onEngine(scenario, engine)
  if (cluster.durability !== undefined && !durabilities.includes(cluster.durability)) {
    report(['cluster', 'durability'], cluster.durability, `on ${engine} one of ${durabilities.join(', ')}`)
  }
  for (const visited of [...walk(setup, ['setup']), ...walk(phases, ['phases'])]) {
    const { kind, fields, path } = visited
    const expected = cannot[kind]
    if (expected !== undefined) report(path, kind, `a step that ${engine} can do (${expected})`)
    for (const [field, name] of situationsIn(visited)) unseen(name, [...path, field])
    if (kind === 'network' && (fields as StepFields['network']).corrupt !== undefined) {
      const why = 'frames that do not fit their checksum are lost: write loss'
      report([...path, 'corrupt'], (fields as StepFields['network']).corrupt, `none on ${engine} (${why})`)
    }
  }
  for (const { spec, path, engines } of assertionsOf(scenario)) {
    if (engines !== undefined && !engines.includes(engine)) continue
    for (const kind of ['sometimes', 'never'] as const) {
      const names = (spec as Readonly<Record<string, readonly string[] | undefined>>)[kind] ?? []
      for (const [index, name] of names.entries()) unseen(name, [...path, kind, index])
    }
  }
  return problems

  function unseen(name: string, path: Path): void {
    if (unobservable.has(name)) report(path, name, `a situation that can be seen on ${engine}`)
  }
}

function* situationsIn({ kind, fields }: Visited): Iterable<[field: string, name: string]> {
  if (kind !== 'until' && kind !== 'when') return
  const { reached } = fields as { readonly reached?: string }
  if (reached !== undefined) yield ['reached', reached]
}
