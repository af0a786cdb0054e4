import type { Path } from '../schema/schema.ts'
import { kindOf, type Step, type StepFields, type StepKind } from './steps.ts'

/** A step on its way through a scenario. */
export interface Visited {
  readonly kind: StepKind
  readonly fields: unknown
  readonly path: Path
  /** The kinds of the steps around it, outermost first. */
  readonly within: readonly Step[]
}

/** Every step, in the order of the file. */
export function* walk(steps: readonly Step[], path: Path, within: readonly Step[] = []): Iterable<Visited> {
  for (const [at, step] of steps.entries()) {
    const kind = kindOf(step)
    const place = [...path, at, kind]
    const fields = (step as Readonly<Record<string, unknown>>)[kind]
    yield { kind, fields, path: place, within }
    const inner = [...within, step]
    if (kind === 'serial' || kind === 'parallel') yield* walk(fields as readonly Step[], place, inner)
    if (kind === 'every' || kind === 'when') {
      yield* walk((fields as StepFields['every']).do, [...place, 'do'], inner)
    }
    if (kind !== 'schedule') continue
    for (const [index, one] of (fields as StepFields['schedule']).entries()) {
      yield* walk(one.do, [...place, index, 'do'], inner)
    }
  }
}
