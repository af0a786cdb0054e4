import type { Scenario } from '../scenario/scenario.ts'
import type { Step } from '../scenario/steps.ts'

/** A run counts only if it did work before anything went wrong; how long that takes is the machine's, where time is real. */
const usualSetup: readonly Step[] = [{ warmup: { writes: 10, within: 60_000 } }]

export const setupOf = ({ setup = usualSetup }: Scenario): readonly Step[] => setup
