import { rounded } from '../terminal/format.ts'
import { type CellResult, measures, WITHIN_MS } from './cell-result.ts'
import { goalsOf } from './goals.ts'

/** The figures of a cell for JSON, without its trials one by one. */
export function headlineOf(result: CellResult): Readonly<Record<string, unknown>> {
  const { lost = null, duplicated = null, unknown = null } = result.verification ?? {}
  const within = result.ledWithin(WITHIN_MS)
  return {
    ...Object.fromEntries(measures.map((measure) => [measure, result.summary(measure)])),
    latencyMs: result.latencyMs ?? null,
    trials: result.trials.length,
    ledWithin300Ms: within === null ? null : rounded(within, 4),
    elections: result.elections,
    candidacies: result.total('candidacies'),
    wastedElections: result.total('wastedElections'),
    contestedTerms: result.total('contestedTerms'),
    spuriousElections: result.spuriousElections,
    calmMs: Math.round(result.calmMs),
    commandsPerSecond: result.commandsPerSecond,
    goals: goalsOf(result).map(({ text, isMet }) => ({ text, isMet: isMet ?? null })),
    unexpectedExits: result.unexpectedExits,
    lost,
    duplicated,
    unknown,
  }
}
