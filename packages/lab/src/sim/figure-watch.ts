/** Measures a run while it goes: before, during and after the faults. Looks at events and changes nothing. */
import type { NodeView, SimEvent, Watcher, World, WorldView } from '@troupe/sim'
import { type FigureName, type Figures, figureNames } from '../figures.ts'

type Phase = 'Before' | 'During' | 'After'

/** What the simulator counts itself. */
const counted = [
  'crashes',
  'lostWrites',
  'openWrites',
  'spaceRefusals',
  'staleReads',
  'snapshotsInstalled',
  'storageFailures',
  'transfers',
  'framesLost',
] as const

interface Counts {
  readonly writes: number
  readonly failed: number
}

export class FigureWatch implements Watcher {
  readonly on = ['turned', 'crashed', 'healed'] as const
  readonly #values = new Map<FigureName, number[]>()
  /** By term, who was elected. */
  readonly #leaders = new Map<number, Set<string>>()
  readonly #terms = new Map<string, number>()
  #world: World | undefined
  #phase: Phase = 'Before'
  #counts: Counts = { writes: 0, failed: 0 }
  #termAtPhase = 0
  #highestTerm = 0
  #committed = 0
  #committedAtMs = 0
  #longestGapMs = 0
  #leaderLostMs: number | undefined
  #healedMs: number | undefined
  #staleMessages = 0
  #uncommitted = 0
  #elections = 0
  readonly #votes = new Set<string>()
  #duplicateVotes = 0
  #rejectedAppends = 0

  attach(world: World): void {
    this.#world = world
  }

  /** The first fault is about to be applied. */
  begin(): void {
    if (this.#phase === 'Before') this.#turnTo('During')
  }

  check(world: WorldView, event: SimEvent): void {
    if (event.kind === 'turned') this.#turned(world, event)
    else if (event.kind === 'crashed') this.#crashed(world, event.node)
    else if (event.kind === 'healed') {
      this.begin()
      this.#turnTo('After')
      this.#healedMs = world.nowMs
    }
  }

  #turned(
    { nowMs, ledger, nodes }: WorldView,
    { node, events }: Extract<SimEvent, { kind: 'turned' }>,
  ): void {
    const core = node.life?.core
    if (core === undefined) return
    for (const event of events) {
      if (event.kind !== 'peer') continue
      const { message } = event
      if (message.term < core.term) this.#staleMessages++
      if (message.kind === 'appendReply' && !message.accepted) this.#rejectedAppends++
      if (message.kind === 'voteReply')
        this.#voted(`${message.from} ${node.id} ${message.term} ${message.granted}`)
    }
    this.#highestTerm = Math.max(this.#highestTerm, core.term)
    if (core.role === 'leader') {
      // Before it has committed something of its own it does not know what is.
      const knows = core.termAt(core.commitIndex) === core.term
      if (knows) this.#uncommitted = Math.max(this.#uncommitted, core.lastIndex - core.commitIndex)
      this.#leads(node, core.term, nowMs)
    }
    if (ledger.commitIndex > this.#committed) this.#advanced(nowMs, ledger.commitIndex)
    if (this.#healedMs !== undefined && !this.#values.has('healToReplicatedMs'))
      this.#lookForAll(nowMs, nodes)
  }

  #voted(reply: string): void {
    if (this.#votes.has(reply)) this.#duplicateVotes++
    this.#votes.add(reply)
  }

  #leads({ id }: NodeView, term: number, nowMs: number): void {
    if (this.#terms.get(id) === term) return
    this.#terms.set(id, term)
    const leaders = this.#leaders.get(term) ?? new Set()
    this.#leaders.set(term, leaders.add(id))
    this.#elections++
    if (this.#leaderLostMs !== undefined) this.#add('timeToLeaderMs', nowMs - this.#leaderLostMs)
    this.#leaderLostMs = undefined
    if (this.#healedMs !== undefined && !this.#values.has('healToLeaderMs')) {
      this.#add('healToLeaderMs', nowMs - this.#healedMs)
    }
  }

  #crashed({ nowMs, nodes }: WorldView, node: NodeView): void {
    // Of its life only the term that it led in is left.
    const term = this.#terms.get(node.id)
    this.#terms.delete(node.id)
    if (term === undefined || term < this.#highestTerm) return
    if (nodes.some(({ life }) => life?.core.role === 'leader')) return
    this.#leaderLostMs ??= nowMs
  }

  #advanced(nowMs: number, index: number): void {
    if (this.#phase === 'During')
      this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#committedAtMs)
    this.#committed = index
    this.#committedAtMs = nowMs
    if (this.#healedMs !== undefined && !this.#values.has('healToCommitMs')) {
      this.#add('healToCommitMs', nowMs - this.#healedMs)
    }
  }

  #lookForAll(nowMs: number, nodes: readonly NodeView[]): void {
    const world = this.#world as World
    const isMember = (node: NodeView): boolean => world.members.some(({ id }) => id === node.id)
    const hasAll = ({ life }: NodeView): boolean => (life?.driver.applied ?? -1) >= this.#committed
    const isAll = nodes.every((node) => !isMember(node) || hasAll(node))
    if (isAll && this.#values.has('healToCommitMs'))
      this.#add('healToReplicatedMs', nowMs - (this.#healedMs ?? 0))
  }

  #add(name: FigureName, value: number): void {
    this.#values.set(name, [...(this.#values.get(name) ?? []), value])
  }

  #turnTo(phase: Phase): void {
    this.#close()
    this.#phase = phase
    const { nowMs = 0 } = this.#world ?? {}
    if (phase === 'After') this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#committedAtMs)
    this.#committedAtMs = Math.max(this.#committedAtMs, phase === 'During' ? nowMs : 0)
  }

  /** What is counted in one phase. */
  #close(): void {
    const { coverage } = this.#world as World
    const failed = coverage.openWrites + coverage.refusals
    const done = coverage.writes + coverage.reads + coverage.staleReads
    const counts = { writes: coverage.writes, failed, done }
    const phase = this.#phase
    this.#add(`writes${phase}`, counts.writes - this.#counts.writes)
    this.#add(`elections${phase}`, this.#elections)
    if (phase !== 'Before') this.#add(`termGrowth${phase}`, this.#highestTerm - this.#termAtPhase)
    const failures = failed - this.#counts.failed
    const all = failures + done - this.#done
    if (all > 0) this.#add(`failureRate${phase}`, failures / all)
    this.#counts = counts
    this.#done = done
    this.#elections = 0
    this.#termAtPhase = this.#highestTerm
  }
  #done = 0

  /** What a figure is now, while the run lasts; undefined where it is not known yet. */
  now(name: FigureName): number | undefined {
    if (name === 'leadersPerTerm') return this.#leadersPerTerm
    if (name === 'staleTermMessages') return this.#staleMessages
    if (name === 'uncommittedEntries') return this.#uncommitted
    if (name === `termGrowth${this.#phase}`) return this.#highestTerm - this.#termAtPhase
    if (name === `elections${this.#phase}`) return this.#elections
    if (name === `writes${this.#phase}`) {
      return (this.#world?.coverage.writes ?? 0) - this.#counts.writes
    }
    return this.#values.get(name)?.at(-1)
  }

  get #leadersPerTerm(): number {
    return Math.max(0, ...[...this.#leaders.values()].map(({ size }) => size))
  }

  /** What was measured. To be called once, at the end of the run. */
  finish(splitVotes: number): Partial<Figures> {
    this.#close()
    this.#add('leadersPerTerm', this.#leadersPerTerm)
    this.#add('staleTermMessages', this.#staleMessages)
    this.#add('splitVotes', splitVotes)
    this.#add('uncommittedEntries', this.#uncommitted)
    this.#add('longestGapMs', this.#longestGapMs)
    this.#add('duplicateVotes', this.#duplicateVotes)
    this.#add('rejectedAppends', this.#rejectedAppends)
    const { coverage } = this.#world as World
    for (const name of counted) this.#add(name, coverage[name])
    return Object.fromEntries(
      figureNames.flatMap((name) => {
        const values = this.#values.get(name)
        return values === undefined ? [] : [[name, values]]
      }),
    )
  }
}
