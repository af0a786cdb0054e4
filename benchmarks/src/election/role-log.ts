/** What nodes became when: who asked for votes, who got them, and what of that was for nothing. */
import type { NodeId, Role } from '@troupe/core'

export interface RoleEvent {
  readonly id: NodeId
  readonly role: Role
  readonly term: number
  readonly atMs: number
}

/** What campaigns came to. */
export interface CampaignCounts {
  /** Times that a node began a term to be elected in it. */
  readonly candidacies: number
  readonly leaders: number
  /** Terms that were begun and had no leader. */
  readonly wastedElections: number
  /** Terms with more than one candidate, whether or not one of them won. */
  readonly contestedTerms: number
}

interface Waiter {
  readonly afterTerm: number
  readonly resolve: (event: RoleEvent) => void
}

export class RoleLog {
  readonly #events: RoleEvent[] = []
  #waiters: Waiter[] = []
  #lastTerm = 0

  /** Of the latest leader. */
  get lastTerm(): number {
    return this.#lastTerm
  }

  record({ id, role, term, atMs }: RoleEvent): void {
    const event = { id, role, term, atMs }
    this.#events.push(event)
    if (role !== 'leader') return
    this.#lastTerm = Math.max(this.#lastTerm, term)
    const served = this.#waiters.filter(({ afterTerm }) => term > afterTerm)
    this.#waiters = this.#waiters.filter((waiter) => !served.includes(waiter))
    for (const { resolve } of served) resolve(event)
  }

  /** The first leader of a term after this one; waits for it where there is none yet. */
  leaderAfter(term: number): Promise<RoleEvent> {
    const found = this.#events.find((event) => event.role === 'leader' && event.term > term)
    if (found !== undefined) return Promise.resolve(found)
    return new Promise((resolve) => this.#waiters.push({ afterTerm: term, resolve }))
  }

  /** When the first node but `victims` asked for votes or pre-votes from `fromMs` on; undefined where none did. */
  detection(fromMs: number, victims: readonly NodeId[]): number | undefined {
    const isFirst = ({ id, role, atMs }: RoleEvent): boolean =>
      atMs >= fromMs && !victims.includes(id) && (role === 'preCandidate' || role === 'candidate')
    return this.#events.find(isFirst)?.atMs
  }

  /** What happened from `fromMs` to `toMs`. */
  count(fromMs: number, toMs: number): CampaignCounts {
    return countCampaigns(this.#events.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs))
  }

  /** Forgets what is of no use any more. */
  forget(beforeMs: number): void {
    const kept = this.#events.findIndex(({ atMs }) => atMs >= beforeMs)
    this.#events.splice(0, kept === -1 ? this.#events.length : kept)
  }
}

export function countCampaigns(events: readonly RoleEvent[]): CampaignCounts {
  const candidates = new Map<number, Set<NodeId>>()
  const won = new Set<number>()
  for (const { id, role, term } of events) {
    if (role === 'leader') won.add(term)
    if (role !== 'candidate') continue
    const ofTerm = candidates.get(term) ?? new Set<NodeId>()
    candidates.set(term, ofTerm.add(id))
  }
  const terms = [...candidates]
  return {
    candidacies: terms.reduce((sum, [, ids]) => sum + ids.size, 0),
    leaders: won.size,
    wastedElections: terms.filter(([term]) => !won.has(term)).length,
    contestedTerms: terms.filter(([, ids]) => ids.size > 1).length,
  }
}
