import type { LinearizableSpec, LivenessSpec, Scenario } from './scenario.ts'

/** How far the checks of a run go, as the assertions of its file say it. */
export interface CheckBounds {
  readonly linearizable: LinearizableSpec
  readonly liveness: LivenessSpec
}

/** The bounds that a scenario gives, as an engine runs it; what it does not say is the default of the engine. */
export function boundsOf({ assert = [] }: Scenario): CheckBounds {
  let linearizable: LinearizableSpec = {}
  let liveness: LivenessSpec = {}
  for (const spec of assert) {
    if ('linearizable' in spec && typeof spec.linearizable === 'object')
      linearizable = { ...linearizable, ...spec.linearizable }
    if ('liveness' in spec) liveness = { ...liveness, ...spec.liveness }
  }
  return { linearizable, liveness }
}
