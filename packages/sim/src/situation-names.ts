import { plainPlan } from './plan.ts'
import { World } from './world.ts'

/** The names of all situations, in their order. */
export const situationNames = (): string[] => Object.keys(new World({ plan: plainPlan }).situations.counts)
