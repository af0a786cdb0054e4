import type { Path } from '../schema/schema.ts'
import type { AssertionSpec, Scenario } from './scenario.ts'

/** An assertion, where it stands, and where it is made. */
export interface FoundAssertion {
  readonly spec: AssertionSpec
  readonly path: Path
  /** Undefined: on all engines. */
  readonly engines: readonly string[] | undefined
}

/** All assertions of a file, those for some engines too. */
export function* assertionsOf({ assert = [] }: Scenario): Iterable<FoundAssertion> {
  for (const [at, spec] of assert.entries()) {
    const path = ['assert', at]
    if (!('only' in spec)) {
      yield { spec, path, engines: undefined }
      continue
    }
    for (const [index, inner] of spec.only.assert.entries()) {
      yield { spec: inner, path: [...path, 'only', 'assert', index], engines: spec.only.engines }
    }
  }
}
