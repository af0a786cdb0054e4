/** Lists of steps made smaller. */
import { linkEnds, linkName, type Step } from './step.ts'

/**
 * Leaves out of `items` whatever `isEnough` can do without: halves first, then ever smaller parts, from the end to the
 * beginning (a simple form of delta debugging).
 */
export function leaveOut<T>(items: readonly T[], isEnough: (left: readonly T[]) => boolean): void {
  let left = items
  if (left.length === 0 || isEnough([])) return
  for (let size = Math.ceil(left.length / 2); ; size = Math.ceil(size / 2)) {
    for (let end = left.length; end > 0; end -= size) {
      const without = [...left.slice(0, Math.max(0, end - size)), ...left.slice(end)]
      if (without.length < left.length && isEnough(without)) left = without
    }
    if (size === 1) return
  }
}

/** The steps without those of a node, and with the names of the nodes behind it one lower. */
export function withoutNode(steps: readonly Step[], index: number): Step[] {
  const gone = `n${index + 1}`
  const renamed = (name: string): string => {
    const number = Number(name.slice(1))
    return name.startsWith('n') && number > index + 1 ? `n${number - 1}` : name
  }
  return steps.flatMap((step) => {
    const left = withNames(step, gone, renamed)
    return left === undefined ? [] : [left]
  })
}

/** The step by other names; undefined where it is about the one that is gone. */
function withNames(step: Step, gone: string, renamed: (name: string) => string): Step | undefined {
  const link = (name: string): string => {
    const { from, to } = linkEnds(name)
    return linkName(renamed(from), renamed(to))
  }
  const touches = (name: string): boolean => name.split('>').includes(gone)
  switch (step.do) {
    case 'cut':
    case 'jam': {
      const links = step.links.filter((name) => !touches(name)).map(link)
      return links.length === 0 ? undefined : { ...step, links }
    }
    case 'weather': {
      if (step.links === undefined) return step
      const links = step.links.filter((one) => !touches(one)).map(link)
      return links.length === 0 ? undefined : { ...step, links }
    }
    case 'write':
    case 'recover':
    case 'send':
    case 'sendAgain':
    case 'settle':
    case 'leave':
    case 'redrive':
      return step
    case 'flap': {
      const [left, right] = step.nodes
      return step.nodes.includes(gone) ? undefined : { ...step, nodes: [renamed(left), renamed(right)] }
    }
    case 'changeMembers': {
      const { also, ...rest } = step
      const name = <T extends { readonly id: string }>(one: T): T => ({ ...one, id: renamed(one.id) })
      const changes = step.changes.filter(({ id }) => id !== gone).map(name)
      if (changes.length === 0) return undefined
      return also === undefined || also.id === gone
        ? { ...rest, changes }
        : { ...rest, changes, also: name(also) }
    }
    case 'transfer':
      if (step.to === undefined) return step
      return step.to === gone ? undefined : { ...step, to: renamed(step.to) }
    case 'read':
    case 'fetch':
      if (step.node === undefined) return step
      if (step.node !== gone) return { ...step, node: renamed(step.node) }
      return { ...step, node: 'n1' }
    case 'lose':
    case 'repeat':
    case 'spoil':
    case 'delay':
      return touches(step.link) ? undefined : { ...step, link: link(step.link) }
    default:
      return step.node === gone ? undefined : { ...step, node: renamed(step.node) }
  }
}

/** Step `at` and all behind it earlier: of the time since the one before, only this share is left. */
export function inTime(
  steps: readonly Step[],
  at: number,
  share: number,
): { readonly steps: readonly Step[]; readonly savedMs: number } | undefined {
  const beforeMs = steps[at - 1]?.atMs ?? 0
  const gapMs = (steps[at]?.atMs ?? 0) - beforeMs
  const savedMs = wholeMicroseconds(gapMs * (1 - share))
  if (savedMs < MIN_SAVED_MS) return undefined
  const earlier = (ms: number): number => Math.max(beforeMs, wholeMicroseconds(ms - savedMs))
  return {
    savedMs,
    steps: steps.map((step, index) => (index < at ? step : { ...step, atMs: earlier(step.atMs) })),
  }
}

const MIN_SAVED_MS = 1

const wholeMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000
