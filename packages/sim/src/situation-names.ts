import { plainPlan } from './plan.ts'
import { World } from './world.ts'

/** The names of all situations, in their order; last those that a seed never leads to. */
export const situationNames = (): string[] =>
  Object.keys(new World({ plan: plainPlan, direct: () => {} }).situations.counts)
