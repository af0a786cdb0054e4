/** Steps that happen at the same time and cannot both be meant: found where it is certain, before anything runs. */
import type { Path, Report } from '../schema/schema.ts'
import { fieldOf } from './problems.ts'
import { isSome, kindOf, namesIn, nodeSets, type Selector, type Step, type StepFields } from './steps.ts'
import { lengthOfStep } from './timing.ts'
import { walk } from './walk.ts'

/** Something that is done to somebody, certainly from one time to another. */
interface Act {
  readonly path: Path
  /** What cannot be twice at once. */
  readonly kind: string
  readonly target: Selector | undefined
  readonly fromMs: number
  readonly toMs: number
}

/** Reports what contradicts itself in `parallel` and `schedule`. */
export function checkContradictions(steps: readonly Step[], path: Path, report: Report): void {
  for (const { kind, fields, path: place } of walk(steps, path)) {
    if (kind === 'parallel') {
      const branches = (fields as readonly Step[]).map((step, at) => actsOf([step], place, 0, at))
      compare(branches, report)
    }
    if (kind === 'schedule') {
      const branches = (fields as StepFields['schedule']).map(({ at, do: inner }, index) =>
        actsOf(inner, [...place, index, 'do'], at),
      )
      compare(branches, report)
    }
  }
}

/** What is certain of steps that begin at that time: what comes behind something of unknown length is not. */
function actsOf(steps: readonly Step[], path: Path, beginMs: number, firstAt = 0): Act[] {
  const acts: Act[] = []
  let atMs = beginMs
  for (const [index, step] of steps.entries()) {
    const kind = kindOf(step)
    const place = [...path, firstAt + index, kind]
    const fields = (step as Readonly<Record<string, unknown>>)[kind]
    if (kind === 'serial') acts.push(...actsOf(fields as readonly Step[], place, atMs))
    else acts.push(...actOf(kind, fields, place, atMs))
    const { leastMs, mostMs } = lengthOfStep(step)
    if (leastMs !== mostMs) break
    atMs += leastMs
  }
  return acts
}

const whole = new Set(['heal', 'partition'])
/** Who is dead or stands still cannot die or stand still. */
const lives: readonly string[] = ['kill', 'start', 'pause', 'stall', 'wipe', 'crashLoop', 'outOfMemory']

function actOf(kind: string, fields: unknown, path: Path, atMs: number): Act[] {
  if (typeof fields !== 'object' && kind !== 'heal') return []
  const {
    target,
    mode,
    downFor,
    for: span,
  } = (typeof fields === 'object' ? fields : {}) as {
    readonly target?: Selector
    readonly mode?: string
    readonly downFor?: { readonly leastMs: number }
    readonly for?: { readonly leastMs: number }
  }
  const lastsMs = (downFor ?? span)?.leastMs ?? (kind === 'heal' ? 0 : Number.POSITIVE_INFINITY)
  if (kind === 'clock' && mode === 'bump') return []
  const exclusive = ['disk', 'clock', ...lives, ...whole]
  if (!exclusive.includes(kind)) return []
  return [{ path, kind, target, fromMs: atMs, toMs: atMs + (kind === 'start' ? 0 : lastsMs) }]
}

function compare(branches: readonly (readonly Act[])[], report: Report): void {
  for (const [at, branch] of branches.entries()) {
    for (const act of branch) {
      const other = branches
        .slice(0, at)
        .flat()
        .find((earlier) => contradicts(earlier, act))
      if (other === undefined) continue
      const expected = `nothing that contradicts ${fieldOf(other.path)}, which happens at the same time`
      report({ path: act.path, value: act.target ?? act.kind, expected })
    }
  }
}

function contradicts(left: Act, right: Act): boolean {
  const isTogether = left.fromMs <= right.toMs && right.fromMs <= left.toMs
  if (!isTogether) return false
  if (left.kind === 'heal' || right.kind === 'heal') return left.kind !== right.kind
  if (left.kind === 'partition' || right.kind === 'partition') return left.kind === right.kind
  // A slow clock on a slow disk is no contradiction; two of a kind, or a disk or a pause of a dead node, are.
  const isLife = (kind: string): boolean => lives.includes(kind)
  const isPair = left.kind === right.kind || (isLife(left.kind) && isLife(right.kind))
  return isPair && isSame(left.target, right.target)
}

const drawn = new Set<string>(
  nodeSets.filter((name) => name !== 'all' && name !== 'leader' && name !== 'primaries'),
)

/** Whether they certainly mean a node in common. */
function isSame(left: Selector | undefined, right: Selector | undefined): boolean {
  const names = (selector: Selector | undefined): readonly string[] =>
    selector === undefined || isSome(selector) ? [] : namesIn(selector).filter((name) => !drawn.has(name))
  const [mine, theirs] = [names(left), names(right)]
  if (mine.includes('all') || theirs.includes('all')) return left !== undefined && right !== undefined
  return mine.some((name) => theirs.includes(name))
}
