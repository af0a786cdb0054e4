/** One trial on real worker threads: a leader is lost under load, and what the clients feel of it. */
import { setTimeout as delay } from 'node:timers/promises'
import { hrtimeMs } from '@troupe/actor'
import type { Fault } from '@troupe/cluster'
import { invariant, type NodeId } from '@troupe/core'
import type { Bench } from '../bench.ts'
import type { TestedCluster } from '../engine/tested-cluster.ts'
import type { LoadGenerator } from '../load/load-generator.ts'
import { rounded } from '../terminal/format.ts'
import type { ElectionTrial, Rates } from './cell-result.ts'
import type { Cell } from './cells.ts'
import { type ElectionFault, electionFaultOf } from './election-faults.ts'
import { type FlowSample, FlowSampler } from './failover.ts'
import type { RoleEvent, RoleLog } from './role-log.ts'

/** What a trial is done with. */
export interface Stand {
  readonly bench: Bench
  readonly cell: Cell
  readonly cluster: TestedCluster
  readonly load: LoadGenerator
  readonly roles: RoleLog
}

const POLL_MS = 5
const PATIENCE_MS = 60_000
/** Load flows for so long before and after the fault. */
export const CALM_MS = 150

export class NoElection extends Error {
  override readonly name = 'NoElection'
}

/** What was lost, and whom that left. */
interface Loss {
  readonly victims: readonly NodeId[]
  /** When the first was lost. */
  readonly atMs: number
  readonly successor: RoleEvent
  /** Brings back what was lost. */
  readonly heal: () => Promise<void>
}

/** A trial, and when it began and ended by the clock of all threads. */
export interface TimedTrial {
  readonly trial: ElectionTrial
  /** From before the loss until after the recovery. */
  readonly flow: readonly FlowSample[]
  readonly lostAtMs: number
  readonly recoveredAtMs: number
}

/** Takes the leader away, waits for another and its first commit, heals, and waits until all is as it was. */
export async function runTrial(stand: Stand, trial: number): Promise<TimedTrial> {
  const sampler = new FlowSampler(stand.load)
  try {
    const timed = await timedTrial(stand, trial)
    return { ...timed, flow: sampler.stop() }
  } finally {
    sampler.stop()
  }
}

async function timedTrial(stand: Stand, trial: number): Promise<Omit<TimedTrial, 'flow'>> {
  const { bench, cluster, load, cell } = stand
  const { healsAtOnce } = electionFaultOf(cell.fault)
  const before = await throughput(stand)
  const lostFrom = await bench.or(load.totals())
  const { victims, atMs, successor, heal } = await lose(stand)
  const { id: leader, atMs: electedAtMs } = successor
  const formerly = victims.includes(leader) ? undefined : victims.at(-1)
  const firstAck = load.firstAck(electedAtMs, formerly)
  const committedAtMs = await bench.or(bounded(firstAck, 'nothing was acknowledged by the new leader'))
  const healedAtMs = healsAtOnce ? atMs : hrtimeMs()
  if (!healsAtOnce) await bench.or(heal())
  await allCaughtUp(bench, cluster)
  const recoveredAtMs = hrtimeMs()
  const { acknowledged } = await bench.or(load.totals())
  const during = perSecond(acknowledged - lostFrom.acknowledged, hrtimeMs() - atMs)
  await bench.or(bounded(load.firstAck(recoveredAtMs), 'the load does not flow'))
  const detectedAtMs = stand.roles.detection(atMs, victims)
  const { leaders: _, ...campaigns } = stand.roles.count(atMs, recoveredAtMs)
  const times = {
    timeToDetectionMs: detectedAtMs === undefined ? null : rounded(detectedAtMs - atMs),
    timeToLeaderMs: rounded(electedAtMs - atMs),
    timeToFirstCommitMs: rounded(committedAtMs - atMs),
    timeToCaughtUpMs: rounded(recoveredAtMs - healedAtMs),
    timeToFullRecoveryMs: rounded(recoveredAtMs - atMs),
  }
  const commandsPerSecond: Rates = { before, during, after: await throughput(stand) }
  const victim = victims[0] as NodeId
  return {
    trial: { trial, victim, leader, ...times, ...campaigns, commandsPerSecond },
    lostAtMs: atMs,
    recoveredAtMs,
  }
}

/** Loses one leader after the other, as often as the fault says. */
async function lose(stand: Stand): Promise<Loss> {
  const { bench, cell, cluster, roles } = stand
  const fault = electionFaultOf(cell.fault)
  const victims: NodeId[] = []
  const healers: (() => Promise<unknown>)[] = []
  const heal = async (): Promise<void> => {
    await Promise.all(healers.splice(0).map((one) => one()))
  }
  let atMs: number | undefined
  let successor: RoleEvent | undefined
  for (let round = fault.rounds(cell.nodes); round > 0; round--) {
    const leader = successor?.id ?? (await leaderOf(stand))
    const strike = fault.strike?.({ ids: cluster.ids, leader, timeouts: cell.timeouts })
    invariant(strike !== undefined, `${cell.fault} loses no leader`)
    const elected = roles.leaderAfter(roles.lastTerm)
    const struck = await bench.or(inject(cluster, fault, strike))
    healers.push(struck.heal)
    atMs ??= struck.atMs
    victims.push(
      ...('nodes' in strike && Array.isArray(strike.nodes) ? (strike.nodes as NodeId[]) : [leader]),
    )
    // Where all nodes are down nobody is elected before they are back.
    if (fault.healsAtOnce) await bench.or(heal())
    successor = await bench.or(bounded(elected, 'no leader was elected'))
  }
  invariant(atMs !== undefined && successor !== undefined, 'at least one leader is lost')
  return { victims, atMs, successor, heal }
}

/** There may be none for a moment where frames are lost. */
async function leaderOf({ bench, cluster }: Stand): Promise<NodeId> {
  const deadlineMs = hrtimeMs() + PATIENCE_MS
  for (;;) {
    const { leader } = cluster
    if (leader !== undefined) return leader
    if (hrtimeMs() > deadlineMs) throw new NoElection('the cluster has no leader')
    await bench.or(delay(POLL_MS))
  }
}

/** A fault that took effect. */
interface Struck {
  readonly atMs: number
  readonly heal: () => Promise<unknown>
}

async function inject(cluster: TestedCluster, { isPlain }: ElectionFault, strike: Fault): Promise<Struck> {
  if (!isPlain) {
    const { id, atMs } = await cluster.inject(strike)
    return { atMs, heal: () => cluster.heal(id) }
  }
  invariant(
    strike.kind === 'crash' && typeof strike.nodes !== 'string',
    'plain faults are crashes of named nodes',
  )
  const { nodes } = strike
  const exits = await Promise.all(nodes.map((id) => cluster.crash(id)))
  return {
    atMs: Math.max(...exits.map(({ diedAtMs, atMs }) => diedAtMs ?? atMs)),
    heal: () => Promise.all(nodes.map((id) => cluster.restart(id))),
  }
}

/** Commands per second while nothing happens. */
async function throughput({ bench, load }: Stand): Promise<number> {
  const startMs = hrtimeMs()
  const { acknowledged: first } = await bench.or(load.totals())
  await bench.or(delay(CALM_MS))
  const { acknowledged: last } = await bench.or(load.totals())
  return perSecond(last - first, hrtimeMs() - startMs)
}

const perSecond = (commands: number, ms: number): number => Math.round((commands / ms) * 1000)

/** Waits until every node runs and has applied what the leader had committed when it was first asked. */
export async function allCaughtUp(bench: Bench, cluster: TestedCluster): Promise<void> {
  const deadlineMs = hrtimeMs() + PATIENCE_MS
  let goal: number | undefined
  for (;;) {
    const { leader, nodes } = await bench.or(cluster.status())
    const running = nodes.filter((node) => node.running)
    goal ??= running.find(({ id, role }) => id === leader && role === 'leader')?.commit
    const isSo =
      running.length === nodes.length &&
      running.every(({ applied }) => applied >= (goal ?? Number.POSITIVE_INFINITY))
    if (isSo) return
    if (hrtimeMs() > deadlineMs) throw new NoElection(`not all caught up within ${PATIENCE_MS} ms`)
    await bench.or(delay(POLL_MS))
  }
}

async function bounded<Value>(work: Promise<Value>, otherwise: string): Promise<Value> {
  const timer = Promise.withResolvers<never>()
  const complain = (): void => timer.reject(new NoElection(`${otherwise} within ${PATIENCE_MS} ms`))
  const timeout = setTimeout(complain, PATIENCE_MS)
  try {
    return await Promise.race([work, timer.promise])
  } finally {
    clearTimeout(timeout)
  }
}
