/** Measures a run while it goes: before, during and after the faults. Looks at events and changes nothing. */
import type { RaftCore } from '@troupe/core'
import {
  acknowledgedLost,
  type Coverage,
  type LossView,
  type NodeView,
  type SimEvent,
  type Watcher,
  type WorldView,
} from '@troupe/sim'
import type { RunPhase } from '../events/run-event.ts'
import { type CountedFigure, countedFigures, type FigureName, type Figures } from '../figures.ts'
import { RunMeter } from '../measure/run-meter.ts'

/** What is asked of the world that is measured. */
export interface MeasuredWorld {
  readonly nowMs: number
  readonly coverage: Readonly<Coverage>
  readonly members: readonly { readonly id: string }[]
  readonly nodes: LossView['nodes']
  readonly ledger: LossView['ledger']
  /** Of the simulator alone, which knows what each entry says. */
  readonly oracle?: LossView['oracle']
}

export class FigureWatch implements Watcher {
  readonly on = ['started', 'turned', 'persisting', 'crashed', 'healed'] as const
  readonly #meter = new RunMeter(() => this.#world?.members.map(({ id }) => id) ?? [])
  #world: MeasuredWorld | undefined
  #uncommitted = 0
  #uncommittedBytes = 0
  #inflightBytes = 0
  /** By leader: what its log was like when its bytes were counted. */
  readonly #weighed = new Map<string, string>()
  readonly #votes = new Set<string>()
  #duplicateVotes = 0
  #refusedDeeds = 0

  get phase(): RunPhase {
    return this.#meter.phase
  }

  attach(world: MeasuredWorld): void {
    this.#world = world
  }

  /** The first fault is about to be applied. */
  begin(): void {
    this.#count()
    this.#meter.begin(this.#world?.nowMs ?? 0)
  }

  /** A deed was. */
  refused(): void {
    this.#refusedDeeds++
  }

  check(world: WorldView, event: SimEvent): void {
    const { nowMs } = world
    switch (event.kind) {
      case 'started':
        return this.#meter.started(event.node.id, nowMs)
      case 'crashed':
        return this.#meter.stopped(event.node.id, nowMs)
      case 'healed':
        this.#count()
        return this.#meter.healed(nowMs)
      case 'persisting':
        return this.#persisting(world, event)
      case 'turned':
        return this.#turned(world, event)
    }
  }

  #turned({ nowMs, ledger }: WorldView, { node, events }: Extract<SimEvent, { kind: 'turned' }>): void {
    if (node.life === undefined) return
    const { core, driver } = node.life
    const meter = this.#meter
    for (const event of events) {
      if (event.kind !== 'peer') continue
      const { message } = event
      if (message.term < core.term) meter.stale()
      if (message.kind === 'appendReply') meter.answered(message.from, message.accepted, message.term, nowMs)
      if (message.kind === 'voteReply')
        this.#voted(`${message.from} ${node.id} ${message.term} ${message.granted}`)
    }
    if (core.role === 'leader') this.#leading(node, core)
    meter.became(node.id, core.role, core.term, nowMs)
    meter.committed(ledger.commitIndex, nowMs)
    meter.applied(node.id, driver.applied, nowMs)
    this.#count()
  }

  /** What a leader has to keep until others have it. */
  #leading({ id, disk }: NodeView, core: RaftCore): void {
    for (const { inflightBytes } of core.progress.values())
      this.#inflightBytes = Math.max(this.#inflightBytes, inflightBytes)
    // Before it has committed something of its own it does not know what is.
    if (core.termAt(core.commitIndex) !== core.term) return
    this.#uncommitted = Math.max(this.#uncommitted, core.lastIndex - core.commitIndex)
    const extent = `${core.commitIndex} ${core.lastIndex}`
    if (this.#weighed.get(id) === extent) return
    this.#weighed.set(id, extent)
    const { seen } = disk.log
    let bytes = 0
    for (let index = core.commitIndex + 1; index <= core.lastIndex; index++)
      bytes += seen.at(index)?.record.byteLength ?? 0
    this.#uncommittedBytes = Math.max(this.#uncommittedBytes, bytes)
  }

  #persisting({ nowMs }: WorldView, { node, request }: Extract<SimEvent, { kind: 'persisting' }>): void {
    const { truncateFrom } = request
    if (truncateFrom === undefined) return
    const { lastIndex } = node.disk.log.seen
    const term = node.life?.core.term ?? 0
    this.#meter.cut(node.id, truncateFrom, lastIndex - truncateFrom + 1, term, nowMs)
  }

  #voted(reply: string): void {
    if (this.#votes.has(reply)) this.#duplicateVotes++
    this.#votes.add(reply)
  }

  #count(): void {
    if (this.#world === undefined) return
    const { coverage, nowMs } = this.#world
    const { writes, reads, staleReads, openWrites, refusals, sends = 0, deliveries = 0 } = coverage
    // Of a queue what is sent is written, and what is delivered is read.
    const read = reads + staleReads + deliveries
    this.#meter.operations(writes + sends, read, openWrites + refusals, nowMs)
    this.#meter.resent(coverage.resentCommands ?? 0)
  }

  /** What a figure is now, while the run lasts; undefined where it is not known yet. */
  now(name: FigureName): number | undefined {
    if (name === 'uncommittedEntries') return this.#uncommitted
    if (name === 'uncommittedBytes') return this.#uncommittedBytes
    if (name === 'inflightBytes') return this.#inflightBytes
    if (name === 'refusedDeeds') return this.#refusedDeeds
    if (name === 'duplicateVotes') return this.#duplicateVotes
    const counted = countedFigures.find((one) => one === name)
    return counted === undefined ? this.#meter.now(name) : this.#counted(counted)
  }

  #counted(name: CountedFigure): number {
    return this.#world?.coverage[name === 'replacements' ? 'wipes' : name] ?? 0
  }

  /** What was measured. To be called once, at the end of the run. */
  finish(): Partial<Figures> {
    const { coverage, nowMs, nodes, ledger, oracle } = this.#world as MeasuredWorld
    const isOfKv = oracle !== undefined && coverage.sends === undefined
    this.#count()
    return {
      ...this.#meter.finish(nowMs),
      uncommittedEntries: [this.#uncommitted],
      uncommittedBytes: [this.#uncommittedBytes],
      inflightBytes: [this.#inflightBytes],
      duplicateVotes: [this.#duplicateVotes],
      refusedDeeds: [this.#refusedDeeds],
      ...(isOfKv && { acknowledgedLost: [acknowledgedLost({ nodes, ledger, oracle })] }),
      ...Object.fromEntries(countedFigures.map((name) => [name, [this.#counted(name)]])),
    }
  }
}
