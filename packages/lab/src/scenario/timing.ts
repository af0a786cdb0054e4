/** How long steps take, as far as it is known before they are done. */
import type { Span } from '../schema/units.ts'
import { kindOf, type Step, type StepFields } from './steps.ts'

/** Voters, learners and spares of the largest cluster. */
const MOST_NODES = 13

const NO_TIME: Span = { leastMs: 0, mostMs: 0 }

const plus = (left: Span, right: Span): Span => ({
  leastMs: left.leastMs + right.leastMs,
  mostMs: left.mostMs + right.mostMs,
})

const longest = (spans: readonly Span[]): Span => ({
  leastMs: Math.max(0, ...spans.map(({ leastMs }) => leastMs)),
  mostMs: Math.max(0, ...spans.map(({ mostMs }) => mostMs)),
})

/** All of them, one after the other. */
export const lengthOf = (steps: readonly Step[]): Span =>
  steps.reduce((sum, step) => plus(sum, lengthOfStep(step)), NO_TIME)

/** From its beginning until the next one begins. */
export function lengthOfStep(step: Step): Span {
  const kind = kindOf(step)
  const fields = (step as Readonly<Record<string, unknown>>)[kind]
  switch (kind) {
    case 'wait':
      return fields as Span
    case 'warmup':
    case 'until':
      return { leastMs: 0, mostMs: (fields as { readonly within: number }).within }
    case 'serial':
      return lengthOf(fields as readonly Step[])
    case 'parallel':
      return longest((fields as readonly Step[]).map(lengthOfStep))
    case 'schedule':
      return longest(
        (fields as StepFields['schedule']).map(({ at, do: steps }) =>
          plus({ leastMs: at, mostMs: at }, lengthOf(steps)),
        ),
      )
    case 'attrition': {
      const { kill, interval } = fields as StepFields['attrition']
      return { leastMs: kill * interval.leastMs, mostMs: kill * interval.mostMs }
    }
    case 'swizzle':
      return { leastMs: 0, mostMs: 2 * MOST_NODES * (fields as StepFields['swizzle']).interval }
    case 'every':
      return lengthOfEvery(fields as StepFields['every'])
    default:
      return (fields as { readonly for?: Span }).for ?? NO_TIME
  }
}

function lengthOfEvery({ interval, for: forMs, times, do: steps }: StepFields['every']): Span {
  const { mostMs } = lengthOf(steps)
  if (times === undefined) return { leastMs: forMs ?? 0, mostMs: (forMs ?? 0) + mostMs }
  return { leastMs: times * interval.leastMs, mostMs: times * interval.mostMs + mostMs }
}
