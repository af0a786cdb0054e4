import type { Scenario } from '../scenario/scenario.ts'
import type { Step } from '../scenario/steps.ts'

/** A run counts only if it did work before anything went wrong. */
const usualSetup: readonly Step[] = [{ warmup: { writes: 10, within: 10_000 } }]

export const setupOf = ({ setup = usualSetup }: Scenario): readonly Step[] => setup
