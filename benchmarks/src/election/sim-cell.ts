/** One cell in the simulator: each trial is a world of its own, and takes virtual time only. */
import { invariant, type NodeId, resolveRaftKnobs } from '@troupe/core'
import { type Plan, plainPlan, World } from '@troupe/sim'
import type { Bench } from '../bench.ts'
import { rounded } from '../terminal/format.ts'
import { type CellResult, type ElectionTrial, withoutCounts } from './cell-result.ts'
import type { Cell } from './cells.ts'
import { electionFaultOf } from './election-faults.ts'
import { RoleLog } from './role-log.ts'
import { expectedSimCellMs } from './sim-cell-time.ts'
import { LASTING_MS, performFault, SLOW_FLUSH_MS } from './sim-faults.ts'
import type { CellSettings } from './threads-cell.ts'
import { knobsOf } from './timeouts.ts'

/** For the first leader, and then for what is on all the time. */
const SETTLE_MS = 500
const PATIENCE_MS = 60_000
/** What a worker takes to start again. */
const RESTART_MS = 200
const CLIENTS = { idle: 1, load: 4 } as const
const THINK_MS = { idle: 20, load: 1 } as const

/** Fills `result` as it goes: trial `n` of a seed is always the same. */
export async function measureSimCell(
  bench: Bench,
  result: CellResult,
  settings: CellSettings,
): Promise<void> {
  const { cell } = result
  const { progress } = bench
  const { trials, watchMs, values } = settings
  progress.begin(`${cell.name} in virtual time`, expectedSimCellMs(cell, settings))
  const isCalm = electionFaultOf(cell.fault).strike === undefined
  for (let trial = 1; trial <= (isCalm ? 1 : trials); trial++) {
    const stage = new SimTrial(cell, values.seed * 10_007 + trial)
    const problem = isCalm ? stage.watch(watchMs, result) : stage.run(trial, result)
    if (problem !== undefined) {
      result.verification = withoutCounts('fail', `trial ${trial}: ${problem}`)
      return
    }
    progress.step(trial, trials)
    progress.note(`${trial} of ${trials}`)
    // So that Ctrl-C is heard.
    await bench.or(new Promise<void>((resume) => setImmediate(resume)))
  }
  // What the invariants say: they have looked at every event.
  result.verification = withoutCounts('pass')
}

function planFor({ fault, nodes, timeouts, load }: Cell, seed: number): Plan {
  const isSilent = fault !== 'crash' && fault !== 'cascade' && fault !== 'restart-storm'
  return {
    ...plainPlan,
    seed,
    // Nothing ends by itself.
    faultMs: LASTING_MS,
    voters: nodes,
    knobs: resolveRaftKnobs(knobsOf(timeouts)),
    // About what ports and disks of one machine take.
    network: { delayMs: 0.05, jitterMs: 0.1 },
    disk: { ...plainPlan.disk, flushMs: SLOW_FLUSH_MS, jitterMs: 0.5 },
    turn: { leastMs: 0.02, jitterMs: 0.1 },
    hints: { silentCrash: isSilent ? 1 : 0, exitTold: 1 },
    workload: { ...plainPlan.workload, clients: CLIENTS[load] },
  }
}

class SimTrial {
  readonly #cell: Cell
  readonly #world: World
  readonly #roles = new RoleLog()
  /** Role and term of each node as last seen. */
  readonly #seen = new Map<NodeId, string>()
  readonly #phase: number

  constructor(cell: Cell, seed: number) {
    this.#cell = cell
    this.#world = new World({ plan: planFor(cell, seed), steps: [] })
    // The leader is lost at any time between two heartbeats.
    this.#phase = ((seed * 0.618) % 1) * cell.timeouts.heartbeatMs
  }

  /** What went wrong; undefined where the trial is among the results. */
  run(trial: number, result: CellResult): string | undefined {
    this.#begin()
    if (!this.#until(() => this.#leader !== undefined)) return this.#problem('there is no leader')
    this.#pass(SETTLE_MS)
    const { timeouts, fault: name } = this.#cell
    const { nodeIds: ids } = this.#world
    const fault = electionFaultOf(name)
    for (const one of fault.conditions({ ids, timeouts })) performFault(this.#world, one)
    const calmFromMs = this.#world.nowMs
    this.#pass(SETTLE_MS + this.#phase)
    if (!this.#until(() => this.#leader !== undefined)) return this.#problem('there is no leader')
    result.spuriousElections += this.#roles.count(calmFromMs, this.#world.nowMs).candidacies
    result.calmMs += this.#world.nowMs - calmFromMs
    const outcome = this.#lose(trial)
    if (typeof outcome === 'string') return this.#problem(outcome)
    result.trials.push(outcome)
    result.elections += 1
    return this.#world.failure?.message
  }

  /** Counts elections while nothing happens. */
  watch(forMs: number, result: CellResult): string | undefined {
    this.#begin()
    if (!this.#until(() => this.#leader !== undefined)) return this.#problem('there is no leader')
    const fromMs = this.#world.nowMs
    this.#pass(forMs)
    result.spuriousElections += this.#roles.count(fromMs + 1e-6, this.#world.nowMs).candidacies
    result.calmMs += this.#world.nowMs - fromMs
    return this.#world.failure?.message
  }

  #problem(otherwise: string): string {
    return this.#world.failure?.message ?? `${otherwise} within ${PATIENCE_MS} virtual ms`
  }

  #lose(trial: number): ElectionTrial | string {
    const world = this.#world
    const { fault: name, nodes, timeouts } = this.#cell
    const fault = electionFaultOf(name)
    const lostAtMs = world.nowMs
    const victims: NodeId[] = []
    let leader: NodeId | undefined
    for (let round = fault.rounds(nodes); round > 0; round--) {
      const victim = this.#leader
      invariant(victim !== undefined && fault.strike !== undefined, `${name} loses no leader`)
      const strike = fault.strike({ ids: world.nodeIds, leader: victim, timeouts })
      const term = this.#roles.lastTerm
      performFault(world, strike)
      victims.push(...(fault.healsAtOnce ? world.nodeIds : [victim]))
      if (fault.healsAtOnce) this.#restartAll()
      if (!this.#until(() => this.#roles.lastTerm > term && this.#leader !== undefined))
        return 'nobody was elected'
      leader = this.#leader
    }
    const electedAtMs = world.nowMs
    const mayCommit = (): boolean => this.#leader !== undefined && this.#hasCommitted(this.#leader)
    if (!this.#until(mayCommit)) return 'nothing was committed'
    const committedAtMs = world.nowMs
    const healedAtMs = fault.healsAtOnce ? lostAtMs : committedAtMs
    if (!fault.healsAtOnce) this.#heal()
    if (!this.#until(() => this.#isWhole())) return 'not all caught up'
    const detectedAtMs = this.#roles.detection(lostAtMs, victims)
    const { leaders: _, ...campaigns } = this.#roles.count(lostAtMs, world.nowMs)
    return {
      trial,
      victim: victims[0] as NodeId,
      leader: leader as NodeId,
      timeToDetectionMs: detectedAtMs === undefined ? null : rounded(detectedAtMs - lostAtMs),
      timeToLeaderMs: rounded(electedAtMs - lostAtMs),
      timeToFirstCommitMs: rounded(committedAtMs - lostAtMs),
      timeToCaughtUpMs: rounded(world.nowMs - healedAtMs),
      timeToFullRecoveryMs: rounded(world.nowMs - lostAtMs),
      ...campaigns,
      commandsPerSecond: null,
    }
  }

  /** Every client writes, and again some time after each answer. */
  #begin(): void {
    const { scheduler, stage, simClients } = this.#world
    const thinkMs = THINK_MS[this.#cell.load]
    for (const [index, { name: client }] of simClients.entries()) {
      const write = { do: 'write', client, key: `k${index}`, conditional: false, withinMs: 5000 } as const
      const think = (): void => {
        scheduler.after(thinkMs, { run: () => void stage.perform(write, think) })
      }
      think()
    }
  }

  /** Who leads the latest term, and is up. */
  get #leader(): NodeId | undefined {
    const { lastTerm } = this.#roles
    const found = this.#world.nodes.find(({ life, isPaused }) => {
      return !isPaused && life?.core.role === 'leader' && life.core.term === lastTerm
    })
    return found?.id
  }

  #hasCommitted(id: NodeId): boolean {
    const core = this.#world.nodes.find((node) => node.id === id)?.life?.core
    return core !== undefined && core.termAt(core.commitIndex) === core.term
  }

  #heal(): void {
    this.#world.stage.heal()
    this.#restartAll()
  }

  #restartAll(): void {
    const { scheduler, nodes } = this.#world
    for (const node of nodes) {
      if (!node.isUp) scheduler.after(RESTART_MS, { run: () => this.#world.start(node) })
    }
  }

  #isWhole(): boolean {
    const leader = this.#leader
    const goal = this.#world.nodes.find(({ id }) => id === leader)?.life?.core.commitIndex
    if (goal === undefined) return false
    return this.#world.nodes.every(({ life, isPaused }) => {
      return !isPaused && life !== undefined && life.core.leader === leader && life.driver.applied >= goal
    })
  }

  #pass(forMs: number): void {
    const untilMs = this.#world.nowMs + forMs
    while (this.#world.nowMs < untilMs && this.#step());
  }

  /** Goes on until it is so. False where that takes too long, or the world fails. */
  #until(isSo: () => boolean): boolean {
    const deadlineMs = this.#world.nowMs + PATIENCE_MS
    while (!isSo()) if (this.#world.nowMs > deadlineMs || !this.#step()) return false
    return true
  }

  #step(): boolean {
    const world = this.#world
    if (!world.step()) return false
    for (const { id, life } of world.nodes) {
      const role = life?.core.role ?? 'follower'
      const term = life?.core.term ?? 0
      const now = `${role} ${term}`
      if (this.#seen.get(id) === now) continue
      this.#seen.set(id, now)
      if (life !== undefined) this.#roles.record({ id, role, term, atMs: world.nowMs })
    }
    return true
  }
}
