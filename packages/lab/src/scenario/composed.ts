/** Steps that are short for others: every engine that does those does these too. */
import type { Span } from '../schema/units.ts'
import { kindOf, type Selector, type Step, type StepFields } from './steps.ts'

/** Chance as a director has it. */
export interface Chance {
  between(least: number, most: number): number
  /** An integer from 0 to below that. */
  below(count: number): number
}

export const composedKinds = ['bounce', 'restartStorm', 'attrition', 'swizzle'] as const
export type ComposedKind = (typeof composedKinds)[number]

const AT_ONCE: Span = { leastMs: 1, mostMs: 20 }

/** The step that this one stands for; undefined where it stands for itself. `nodes` looks up who is meant now. */
export function composedOf(
  step: Step,
  nodes: (selector: Selector) => readonly string[],
  chance: Chance,
): Step | undefined {
  const kind = kindOf(step)
  const fields = (step as Readonly<Record<string, unknown>>)[kind]
  switch (kind) {
    case 'bounce': {
      const { target, downFor = AT_ONCE } = fields as StepFields['bounce']
      return { kill: { target, downFor } }
    }
    case 'restartStorm': {
      const { target = 'random', interval, downFor, for: span } = fields as StepFields['restartStorm']
      return { every: { interval, for: drawn(span, chance), do: [{ kill: { target, downFor } }] } }
    }
    case 'attrition': {
      const { kill: times, leave, interval, downFor } = fields as StepFields['attrition']
      return { every: { interval, times, do: [{ kill: { target: 'one', downFor, leave } }] } }
    }
    case 'swizzle': {
      const { target, interval } = fields as StepFields['swizzle']
      return swizzled(nodes(target), interval, chance)
    }
    case 'clock': {
      const clock = fields as StepFields['clock']
      return clock.mode === 'strobe' || clock.mode === 'step' ? jumps(clock, chance) : undefined
    }
    default:
      return undefined
  }
}

const drawn = ({ leastMs, mostMs }: Span, chance: Chance): number =>
  leastMs === mostMs ? leastMs : chance.between(leastMs, mostMs)

const exactly = (ms: number): Span => ({ leastMs: ms, mostMs: ms })

/** One node after the other is clogged, until all are; then they are released, in another order (FoundationDB). */
function swizzled(nodes: readonly string[], intervalMs: number, chance: Chance): Step {
  const released = shuffled(nodes, chance)
  const branches = shuffled(nodes, chance).map((from, at): Step => {
    const forMs = (nodes.length - at + released.indexOf(from)) * intervalMs
    const link: Step = { link: { from, to: 'all', mode: 'jam', for: exactly(forMs) } }
    return { serial: [{ wait: exactly(at * intervalMs) }, link] }
  })
  return { parallel: branches }
}

function shuffled(nodes: readonly string[], chance: Chance): string[] {
  const left = [...nodes]
  return nodes.map(() => left.splice(chance.below(left.length), 1)[0] as string)
}

/** Again and again; there and back again where it is a strobe. */
function jumps({ target, mode, by = 0, every = 1, for: span }: StepFields['clock'], chance: Chance): Step {
  const there: Step = { clock: { target, mode: 'bump', by } }
  const back: Step = { clock: { target, mode: 'bump', by: -by } }
  const forMs = span === undefined ? every : drawn(span, chance)
  const steps = mode === 'step' ? [there] : [there, { wait: exactly(every / 2) }, back]
  return { every: { interval: exactly(every), for: forMs, do: steps } }
}
