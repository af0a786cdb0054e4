/** Who asked for votes when, and what came of it. */
import type { RunEvent } from '../events/run-event.ts'

/** The history of one term. */
export interface Election {
  readonly term: number
  /** When the first of them asked. */
  readonly atMs: number
  readonly candidates: readonly string[]
  /** Nobody was elected where it is undefined: with several candidates the votes were split. */
  readonly leader: string | undefined
  readonly electedMs: number | undefined
  /** When it was no leader any more; undefined: it led to the end. */
  readonly endedMs: number | undefined
  readonly why: 'died' | 'stepped down' | undefined
}

export function electionsOf(events: readonly RunEvent[]): readonly Election[] {
  const terms = new Map<number, { -readonly [Key in keyof Election]: Election[Key] }>()
  const leading = new Map<string, number>()
  const election = (term: number, atMs: number) => {
    const known = terms.get(term)
    if (known !== undefined) return known
    const fresh = {
      term,
      atMs,
      candidates: [],
      leader: undefined,
      electedMs: undefined,
      endedMs: undefined,
      why: undefined,
    }
    terms.set(term, fresh)
    return fresh as NonNullable<ReturnType<typeof terms.get>>
  }
  const ended = (node: string, atMs: number, why: Election['why']): void => {
    const term = leading.get(node)
    leading.delete(node)
    const led = term === undefined ? undefined : terms.get(term)
    if (led?.leader === node) Object.assign(led, { endedMs: atMs, why })
  }
  for (const event of events) {
    if (event.kind === 'stopped') ended(event.node, event.atMs, 'died')
    if (event.kind !== 'role') continue
    const { node, role, term, atMs } = event
    if (leading.has(node) && (role !== 'leader' || leading.get(node) !== term))
      ended(node, atMs, 'stepped down')
    if (role === 'candidate') {
      const one = election(term, atMs)
      if (!one.candidates.includes(node)) one.candidates = [...one.candidates, node]
    }
    if (role === 'leader' && leading.get(node) !== term) {
      leading.set(node, term)
      Object.assign(election(term, atMs), { leader: node, electedMs: atMs })
    }
  }
  return [...terms.values()].sort((left, right) => left.term - right.term)
}
