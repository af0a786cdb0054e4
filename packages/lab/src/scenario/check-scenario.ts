import type { Path, Report } from '../schema/schema.ts'
import { checkContradictions } from './contradictions.ts'
import { checkKnobs, withOptions } from './knobs.ts'
import { checkNames } from './names.ts'
import { checkStep } from './rules.ts'
import type { Scenario } from './scenario.ts'
import type { StepKind } from './steps.ts'
import { walk } from './walk.ts'

/** Reports what a scenario whose fields all fit gets wrong as a whole. */
export function checkScenario(scenario: Scenario, report: Report): void {
  const { cluster = {}, workload = {}, setup = [], phases, proof } = scenario
  checkKnobs(cluster, ['cluster'], report)
  if (proof?.broken !== undefined) {
    checkKnobs(withOptions(scenario, proof.broken).cluster ?? {}, ['proof', 'broken', 'cluster'], report)
  }
  for (const [engine, own] of Object.entries(scenario.overrides ?? {})) {
    const path = ['overrides', engine, 'cluster']
    if (own !== undefined) checkKnobs(withOptions(scenario, own).cluster ?? {}, path, report)
  }
  const { mix } = workload
  const sum = mix === undefined ? 1 : mix.read + mix.write + (mix.cas ?? 0)
  if (Math.abs(sum - 1) > 1e-6) {
    report({ path: ['workload', 'mix'], value: mix, expected: `shares that are 1 together, not ${sum}` })
  }
  if (workload.queue !== undefined && workload.kind !== 'queue') {
    report({ path: ['workload', 'queue'], value: workload.queue, expected: 'kind: queue with it' })
  }
  checkNames(scenario, report)
  for (const [name, steps] of Object.entries({ setup, phases })) {
    for (const { kind, fields, path } of walk(steps, [name])) {
      checkStep(kind, fields, path, report)
      checkWorkload(kind, workload.kind ?? 'kv', path, report)
    }
    checkContradictions(steps, [name], report)
  }
}

/** What clients do by themselves has to be something that there is. */
function checkWorkload(kind: StepKind, workload: 'kv' | 'queue', path: Path, report: Report): void {
  const wanted = kind === 'abandon' ? 'queue' : kind === 'write' || kind === 'read' ? 'kv' : workload
  if (wanted !== workload) report({ path, value: kind, expected: `workload.kind: ${wanted} with it` })
}
