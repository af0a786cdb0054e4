import type { Path, Report } from '../schema/schema.ts'
import { checkContradictions } from './contradictions.ts'
import { checkKnobs, type Options, withOptions } from './knobs.ts'
import { checkNames } from './names.ts'
import { checkStep } from './rules.ts'
import type { Scenario } from './scenario.ts'
import { checkEngines, checkWorkload } from './unread.ts'
import { walk } from './walk.ts'

/** Reports what a scenario whose fields all fit gets wrong as a whole. */
export function checkScenario(scenario: Scenario, report: Report): void {
  const { setup = [], phases, proof, overrides = {} } = scenario
  checkKnobs(scenario.cluster ?? {}, ['cluster'], report)
  checkOptions(scenario, (path) => path, report)
  for (const [engine, own] of Object.entries(overrides)) {
    if (own !== undefined) checkVariant(scenario, own, ['overrides', engine], report)
  }
  if (proof?.broken !== undefined) checkVariant(scenario, proof.broken, ['proof', 'broken'], report)
  checkEngines(scenario, report)
  checkNames(scenario, report)
  for (const [name, steps] of Object.entries({ setup, phases })) {
    for (const { kind, fields, path } of walk(steps, [name])) checkStep(kind, fields, path, report)
    checkContradictions(steps, [name], report)
  }
}

/** The same scenario with other options: what is wrong with these stands at their place, all else where it is. */
function checkVariant(scenario: Scenario, own: Options, place: Path, report: Report): void {
  const at = (path: Path): Path => {
    const [section, field] = path
    const given = (own as Readonly<Record<string, object | undefined>>)[section as string] ?? {}
    return Object.hasOwn(given, field as string) ? [...place, ...path] : path
  }
  const variant = withOptions(scenario, own)
  checkKnobs(variant.cluster ?? {}, [...place, 'cluster'], report)
  checkOptions(variant, at, report)
}

/** What goes together in the options that are in effect. */
function checkOptions(scenario: Scenario, at: (path: Path) => Path, report: Report): void {
  const { workload: { mix } = {} } = scenario
  const sum = mix === undefined ? 1 : mix.read + mix.write + (mix.cas ?? 0)
  if (Math.abs(sum - 1) > 1e-6) {
    const expected = `shares that are 1 together, not ${sum}`
    report({ path: at(['workload', 'mix']), value: mix, expected })
  }
  checkWorkload(scenario, at, report)
}
