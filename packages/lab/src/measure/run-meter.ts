/**
 * Measures a run from what happens in it: the figures that every engine can have. Told of things by its methods, or by events.
 *
 *     RunEvent ─► feed ─┐
 *     an engine ────────┴► RunMeter ─► elections, outages, lag, repairs, operations ─► figures
 *
 * Times of what it is told never fall. What is told twice counts once.
 */
import type { NodeRole, RunEvent, RunPhase } from '../events/run-event.ts'
import type { FigureName, Figures } from '../figures.ts'
import { FigureValues, ofPhase } from './figure-values.ts'
import { LagMeter } from './lag-meter.ts'
import { OutageMeter } from './outage-meter.ts'
import { Phases } from './phases.ts'
import { RepairMeter } from './repair-meter.ts'

interface NodeSeen {
  role: NodeRole
  term: number
  applied: number
  isUp: boolean
}

/** Those that were answered, and those that were not. */
interface Operations {
  readonly writes: number
  readonly reads: number
  readonly failed: number
}

const MS_A_MINUTE = 60_000

export class RunMeter {
  readonly #values = new FigureValues()
  readonly #phases = new Phases()
  readonly #outages: OutageMeter
  readonly #lag: LagMeter
  readonly #repairs = new RepairMeter(this.#values)
  readonly #nodes = new Map<string, NodeSeen>()
  readonly #membersNow: () => readonly string[]
  #members: readonly string[] = []
  /** By term: who was elected, and who asked for votes. */
  readonly #leaders = new Map<number, Set<string>>()
  readonly #candidates = new Map<number, Set<string>>()
  readonly #led = new Map<string, number>()
  readonly #campaigns = new Map<string, number>()
  #highestTerm = 0
  #phaseTerm = 0
  #phaseMs: number | undefined
  #elections = 0
  #committed = 0
  #committedMs = 0
  #longestGapMs = 0
  #readMs = 0
  #longestReadGapMs = 0
  #diedMs: number | undefined
  #stale = 0

  /** @param membersNow who belongs to the cluster; without it what `members` was told last */
  constructor(membersNow?: () => readonly string[]) {
    this.#membersNow = membersNow ?? (() => this.#members)
    const haveAll = (index: number): boolean => this.#haveAll(index)
    this.#outages = new OutageMeter(this.#values, this.#phases, haveAll)
    this.#lag = new LagMeter(this.#values, this.#phases)
  }

  get phase(): RunPhase {
    return this.#phases.current
  }

  /** The first fault is about to be applied. */
  begin(atMs: number): void {
    if (this.phase === 'before') this.#turnTo('during', atMs)
  }

  /** Everything is healed. */
  healed(atMs: number): void {
    this.begin(atMs)
    if (this.phase === 'after') return
    this.#longestGapMs = Math.max(this.#longestGapMs, atMs - this.#committedMs)
    this.#longestReadGapMs = Math.max(this.#longestReadGapMs, atMs - this.#readMs)
    this.#turnTo('after', atMs)
  }

  #turnTo(phase: 'during' | 'after', atMs: number): void {
    this.#tick(atMs)
    this.#close(atMs)
    this.#phases.turnTo(phase, atMs)
    if (phase !== 'during') return
    this.#committedMs = Math.max(this.#committedMs, atMs)
    this.#readMs = atMs
  }

  // ---- nodes

  /** Who belongs to the cluster from now on. */
  members(nodes: readonly string[]): void {
    this.#members = nodes
  }

  started(node: string, atMs: number): void {
    this.#tick(atMs)
    this.#node(node).isUp = true
  }

  stopped(node: string, atMs: number): void {
    this.#tick(atMs)
    const seen = this.#node(node)
    const wasLatest = seen.role === 'leader' && seen.term >= this.#highestTerm
    Object.assign(seen, { isUp: false, role: 'follower', applied: 0 })
    this.#outages.stopped(node, atMs)
    const isLed = [...this.#nodes.values()].some(({ role }) => role === 'leader')
    if (wasLatest && !isLed) this.#diedMs ??= atMs
  }

  became(node: string, role: NodeRole, term: number, atMs: number): void {
    const seen = this.#node(node)
    if (seen.role === role && seen.term === term) return
    this.#tick(atMs)
    seen.role = role
    seen.term = term
    this.#highestTerm = Math.max(this.#highestTerm, term)
    if (role === 'candidate') this.#campaigned(node, term)
    if (role === 'leader') this.#elected(node, term, atMs)
  }

  #campaigned(node: string, term: number): void {
    const candidates = this.#candidates.get(term) ?? new Set()
    this.#candidates.set(term, candidates.add(node))
    this.#campaigns.set(node, (this.#campaigns.get(node) ?? 0) + 1)
  }

  #elected(node: string, term: number, atMs: number): void {
    const leaders = this.#leaders.get(term) ?? new Set()
    // Before the first leader a cluster only begins: that is no change of terms.
    if (this.#leaders.size === 0) {
      this.#phaseMs = atMs
      this.#phaseTerm = this.phase === 'before' ? term : this.#phaseTerm
    }
    if (!leaders.has(node)) this.#led.set(node, (this.#led.get(node) ?? 0) + 1)
    this.#leaders.set(term, leaders.add(node))
    this.#elections++
    this.#outages.elected(node, term, atMs)
    if (this.#diedMs !== undefined) this.#values.add('timeToLeaderMs', atMs - this.#diedMs)
    this.#diedMs = undefined
    this.#sinceHealing('healToLeaderMs', atMs)
  }

  // ---- logs

  /** Everything up to `index` is committed, as some node knows. */
  committed(index: number, atMs: number): void {
    if (index <= this.#committed) return
    this.#tick(atMs)
    if (this.phase === 'during') this.#longestGapMs = Math.max(this.#longestGapMs, atMs - this.#committedMs)
    this.#committed = index
    this.#committedMs = atMs
    this.#outages.committed(index, atMs)
    this.#lag.committed(index, atMs)
    this.#sinceHealing('healToCommitMs', atMs)
  }

  applied(node: string, index: number, atMs: number): void {
    const seen = this.#node(node)
    if (seen.applied === index) return
    this.#tick(atMs)
    seen.applied = index
    this.#outages.applied(atMs)
    if (this.phase !== 'after' || this.#values.has('healToReplicatedMs')) return
    if (this.#values.has('healToCommitMs') && this.#haveAll(this.#committed)) {
      this.#sinceHealing('healToReplicatedMs', atMs)
    }
  }

  /** Entries that did not fit the leader's log are gone. */
  cut(node: string, index: number, entries: number, term: number, atMs: number): void {
    this.#repairs.cut(node, index, entries, term, atMs)
  }

  /** The log of a node took an append of this term, or refused it. */
  answered(node: string, isAccepted: boolean, term: number, atMs: number): void {
    if (!isAccepted) this.#rejected++
    this.#repairs.answered(node, isAccepted, term, atMs)
  }
  #rejected = 0

  /** A message of an earlier term than its receiver's has come. */
  stale(): void {
    this.#stale++
  }

  // ---- clients

  /** So many there were since the run began. */
  operations(writes: number, reads: number, failed: number, atMs: number): void {
    const before = this.#asked
    if (writes === before.writes && reads === before.reads && failed === before.failed) return
    this.#asked = { writes, reads, failed }
    if (writes > before.writes) this.#outages.served(atMs)
    if (reads > before.reads) this.#haveRead(atMs)
  }
  #asked: Operations = { writes: 0, reads: 0, failed: 0 }
  #askedAtPhase: Operations = this.#asked

  #haveRead(atMs: number): void {
    if (this.phase === 'during')
      this.#longestReadGapMs = Math.max(this.#longestReadGapMs, atMs - this.#readMs)
    this.#readMs = atMs
  }

  /** So many commands were sent once more since the run began. */
  resent(commands: number): void {
    this.#resent = commands
  }
  #resent = 0
  #resentAtPhase = 0

  #operation(what: 'write' | 'read', isAnswered: boolean, atMs: number): void {
    const { writes, reads, failed } = this.#asked
    if (!isAnswered) this.operations(writes, reads, failed + 1, atMs)
    else if (what === 'write') this.operations(writes + 1, reads, failed, atMs)
    else this.operations(writes, reads + 1, failed, atMs)
  }

  // ---- what comes of it

  /** Takes an event of any engine. */
  feed(event: RunEvent): void {
    const { atMs } = event
    switch (event.kind) {
      case 'run':
        return this.members(event.nodes)
      case 'members':
        return this.members(event.nodes)
      case 'phase':
        if (event.phase === 'during') this.begin(atMs)
        else if (event.phase === 'after') this.healed(atMs)
        return
      case 'started':
        return this.started(event.node, atMs)
      case 'stopped':
        return this.stopped(event.node, atMs)
      case 'role':
        return this.became(event.node, event.role, event.term, atMs)
      case 'log':
        this.committed(event.commit, atMs)
        return this.applied(event.node, event.applied, atMs)
      case 'cut':
        return this.cut(event.node, event.index, event.entries, event.term, atMs)
      case 'received':
        if (event.isStale) this.stale()
        if (event.name === 'appendReply')
          this.answered(event.from, event.isGranted === true, event.term, atMs)
        return
      case 'operation':
        return this.#operation(event.what, event.outcome === 'ok', atMs)
    }
  }

  /** What a figure is now, while the run lasts; undefined where it is not known yet. */
  now(name: FigureName): number | undefined {
    const { phase } = this
    if (name === 'leadersPerTerm') return this.#leadersPerTerm
    if (name === 'staleTermMessages') return this.#stale
    if (name === 'splitVotes') return this.#splitVotes
    if (name === 'rejectedAppends') return this.#rejected
    if (name === ofPhase('elections', phase)) return this.#elections
    if (name === ofPhase('writes', phase)) return this.#asked.writes - this.#askedAtPhase.writes
    if (name === ofPhase('reads', phase)) return this.#asked.reads - this.#askedAtPhase.reads
    if (name === ofPhase('resent', phase)) return this.#resent - this.#resentAtPhase
    if (name === ofPhase('failureRate', phase)) return this.#failureRate
    if (name === (phase === 'during' ? 'termGrowthDuring' : 'termGrowthAfter')) {
      return phase === 'before' ? undefined : this.#highestTerm - this.#phaseTerm
    }
    return this.#values.last(name)
  }

  /** What was measured so far, without closing anything. */
  get soFar(): Partial<Figures> {
    return this.#values.figures
  }

  /** What was measured. To be called once, at the end of the run. */
  finish(atMs: number): Partial<Figures> {
    this.#tick(atMs)
    this.#close(atMs)
    const values = this.#values
    values.add('leadersPerTerm', this.#leadersPerTerm)
    values.add('staleTermMessages', this.#stale)
    values.add('splitVotes', this.#splitVotes)
    values.add('rejectedAppends', this.#rejected)
    values.add('longestGapMs', this.#longestGapMs)
    if (this.#asked.reads > 0) values.add('longestReadGapMs', this.#longestReadGapMs)
    for (const node of this.#nodes.keys()) {
      values.add('leadershipsPerNode', this.#led.get(node) ?? 0)
      values.add('campaignsPerNode', this.#campaigns.get(node) ?? 0)
    }
    return values.figures
  }

  /** What is counted in one phase. */
  #close(atMs: number): void {
    const { phase } = this
    const values = this.#values
    const writes = this.#asked.writes - this.#askedAtPhase.writes
    const reads = this.#asked.reads - this.#askedAtPhase.reads
    values.add(ofPhase('writes', phase), writes)
    values.add(ofPhase('reads', phase), reads)
    values.add(ofPhase('resent', phase), this.#resent - this.#resentAtPhase)
    this.#resentAtPhase = this.#resent
    values.add(ofPhase('elections', phase), this.#elections)
    const growth = this.#highestTerm - this.#phaseTerm
    if (phase !== 'before') values.add(phase === 'during' ? 'termGrowthDuring' : 'termGrowthAfter', growth)
    const tookMs = atMs - (this.#phaseMs ?? atMs)
    if (tookMs > 0) values.add(ofPhase('termChangesPerMinute', phase), (growth * MS_A_MINUTE) / tookMs)
    const failureRate = this.#failureRate
    if (failureRate !== undefined) values.add(ofPhase('failureRate', phase), failureRate)
    this.#askedAtPhase = this.#asked
    this.#elections = 0
    this.#phaseTerm = this.#highestTerm
    this.#phaseMs = atMs
  }

  /** Of what was asked in this phase. */
  get #failureRate(): number | undefined {
    const { writes, reads, failed } = this.#asked
    const before = this.#askedAtPhase
    const asked = writes + reads + failed - before.writes - before.reads - before.failed
    return asked > 0 ? (failed - before.failed) / asked : undefined
  }

  get #leadersPerTerm(): number {
    return Math.max(0, ...[...this.#leaders.values()].map(({ size }) => size))
  }

  get #splitVotes(): number {
    const isSplit = ([term, candidates]: [number, Set<string>]): boolean =>
      candidates.size > 1 && !this.#leaders.has(term) && term < this.#highestTerm
    return [...this.#candidates].filter(isSplit).length
  }

  #sinceHealing(name: FigureName, atMs: number): void {
    if (this.phase === 'after' && !this.#values.has(name)) {
      this.#values.add(name, atMs - this.#phases.afterMs)
    }
  }

  #haveAll(index: number): boolean {
    return this.#membersNow().every((node) => {
      const seen = this.#nodes.get(node)
      return seen?.isUp === true && seen.applied >= index
    })
  }

  #tick(atMs: number): void {
    this.#lag.look(atMs, () => {
      const applied = this.#membersNow().flatMap((node) => {
        const seen = this.#nodes.get(node)
        return seen?.isUp === true ? [seen.applied] : []
      })
      return applied.length === 0 ? this.#committed : Math.min(...applied)
    })
  }

  #node(node: string): NodeSeen {
    let seen = this.#nodes.get(node)
    if (seen === undefined) {
      seen = { role: 'follower', term: 0, applied: 0, isUp: true }
      this.#nodes.set(node, seen)
    }
    return seen
  }
}
