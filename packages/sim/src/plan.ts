/** Everything that a run is made of, derived from its seed. */
import {
  defaultRaftKnobs,
  type OverlayTopology,
  planOverlay,
  type RaftKnobs,
  resolveRaftKnobs,
  routesFrom,
} from '@troupe/core'
import type { LinkEffect } from '@troupe/faults'
import {
  type Consistency,
  defaultSessionLimits,
  type GatewayOptions,
  type SessionLimits,
} from '@troupe/machines'
import { type Dice, diceOf, streams } from './dice.ts'
import { drawQueue, knobsForQueue, plainQueue, type QueueWorkload } from './queue/queue-plan.ts'

/** The number of the only group. */
export const GROUP = 1

/** How the network is when nothing is wrong with it. */
export interface NetworkSpeed {
  /** Shortest time of a frame, in ms. */
  readonly delayMs: number
  /** Mean of what chance adds to it, in ms. */
  readonly jitterMs: number
}

/** How fast a disk is when nothing is wrong with it. */
export interface DiskSpeed {
  /** Shortest time of a flush, in ms. */
  readonly flushMs: number
  /** Mean of what chance adds to it, in ms. */
  readonly jitterMs: number
  readonly bytesPerMs: number
}

/** How long a turn takes. */
export interface TurnSpeed {
  readonly leastMs: number
  /** What chance adds to it at most, in ms. */
  readonly jitterMs: number
}

/** Whatever one of these has for its probability happens to each life. */
export interface HintChances {
  /** A crash that the peers are never told of. */
  readonly silentCrash: number
  /** The supervisor tells of an exit. */
  readonly exitTold: number
}

/** What clients do. */
export interface Workload {
  readonly clients: number
  readonly keys: number
  /** Operations of one client at the same time. */
  readonly concurrency: number
  /** Mean time between an answer and the next question, in ms. */
  readonly thinkMs: number
  /** Share of queries among the operations. */
  readonly reads: number
  /** Share of compare-and-sets among the writes. */
  readonly compareAndSets: number
  readonly consistencies: readonly Consistency[]
  /** Mean time that a caller waits. */
  readonly deadlineMs: number
  readonly retransmitMs: number
  /** Some clients propose through a node of theirs, which forwards. Not where that one may be removed. */
  readonly throughNodes: boolean
}

/** Scenes (scenes.ts): several deeds that together lead where chance alone seldom comes. */
const sceneKinds = [
  'usurp',
  'lagLeader',
  'stallLeader',
  'slowElection',
  'splitJoint',
  'damageNearLaggard',
  'damageNearOldTail',
  'lateAnswers',
  'lateSnapshot',
  'crashReceiver',
  'flipUncommitted',
  'replaceMidAnswer',
] as const
export type SceneKind = (typeof sceneKinds)[number]

/** Faults that happen again and again, each with a rate of its own. */
export const faultKinds = [
  'weather',
  'partition',
  'isolateLeader',
  'oneWay',
  'clog',
  'flap',
  'breakClient',
  'crash',
  'crashLeader',
  'restartStorm',
  'wipe',
  'flipEntry',
  'flipSnapshot',
  'slowDisk',
  'stallDisk',
  'fullDisk',
  'failDisk',
  'pause',
  'skew',
  'jump',
  'memberChange',
  'jointChange',
  'transfer',
  'takeSnapshot',
  'campaign',
  ...sceneKinds,
  'rollBack',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Plan {
  readonly seed: number
  /** Length of the phase with faults, in virtual ms. */
  readonly faultMs: number
  readonly voters: number
  readonly learners: number
  /** Nodes that are no members at first. */
  readonly spares: number
  readonly knobs: RaftKnobs
  /** `electionPriority` of each node. */
  readonly priorities: readonly number[]
  readonly gateway: GatewayOptions
  readonly sessions: SessionLimits
  readonly network: NetworkSpeed
  /** Who is connected to whom. */
  readonly topology: OverlayTopology
  readonly hints: HintChances
  readonly disk: DiskSpeed
  /** Whether the machines keep their state on the disk. */
  readonly stateOnDisk: boolean
  readonly turn: TurnSpeed
  readonly workload: Workload
  readonly queue: QueueWorkload
  /** What happens to frames on all links while the weather is bad. */
  readonly weather: readonly LinkEffect[]
  /** Events per virtual second. */
  readonly rates: Readonly<Record<FaultKind, number>>
  /** Mean time for which a fault lasts, and a node stays down, in ms. */
  readonly faultDurationMs: number
  readonly downMs: number
  /** Whether faults may destroy what a quorum has agreed on. */
  readonly exceedBudget: boolean
  readonly interleaving: Interleaving
  /** Whether nothing goes wrong and nobody changes anything: then more must hold (invariants/calm.ts). @default false */
  readonly isCalm?: boolean | undefined
}

/** Which machine the nodes run, and what its clients do. */
export const workloadKinds = ['kv', 'queue'] as const
export type WorkloadKind = (typeof workloadKinds)[number]

/** Whose turn it is: by chance alone, or by priorities that change now and then (turn-order.ts). */
export const interleavings = ['random', 'priorities'] as const
export type Interleaving = (typeof interleavings)[number]

export interface PlanOptions {
  readonly seed: number
  /** Voters. @default from 1 to 7, by the seed */
  readonly nodes?: number | undefined
  /** Virtual seconds with faults. @default 30 */
  readonly seconds?: number | undefined
  readonly exceedBudget?: boolean | undefined
  /** No faults, transfers or changes of the members, and bounds that nothing comes near. @default false */
  readonly calm?: boolean | undefined
  /** @default 'random' */
  readonly interleaving?: Interleaving | undefined
  /** @default 'kv' */
  readonly workload?: WorkloadKind | undefined
  /** Who is connected to whom; where routes are longer, links are as much faster. @default 'mesh' */
  readonly topology?: OverlayTopology | undefined
}

/** The topologies in which frames are relayed. */
export type LongTopology = Exclude<OverlayTopology, 'mesh'>

/** Three nodes and a client, timing without any chance, and nothing that goes wrong. */
export const plainPlan: Plan = {
  seed: 0,
  faultMs: 10_000,
  voters: 3,
  learners: 0,
  spares: 0,
  knobs: resolveRaftKnobs({ electionTimeoutMinMs: 100, electionTimeoutMaxMs: 200, heartbeatIntervalMs: 20 }),
  priorities: [],
  gateway: {
    group: GROUP,
    lingerMs: 0,
    commitLingerMs: 5,
    maxBatchBytes: 1 << 20,
    maxBatchCommands: 65_536,
    maxWaitingBytes: 64 << 20,
    maxPendingReads: 65_536,
  },
  sessions: defaultSessionLimits,
  network: { delayMs: 0.5, jitterMs: 0 },
  topology: 'mesh',
  hints: { silentCrash: 0, exitTold: 1 },
  disk: { flushMs: 1, jitterMs: 0, bytesPerMs: 1e6 },
  stateOnDisk: false,
  turn: { leastMs: 0.05, jitterMs: 0 },
  workload: {
    clients: 1,
    keys: 1,
    concurrency: 1,
    thinkMs: 10,
    reads: 0.5,
    compareAndSets: 0,
    consistencies: ['linearizable'],
    deadlineMs: 5000,
    retransmitMs: 200,
    throughNodes: false,
  },
  queue: plainQueue,
  weather: [],
  rates: Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>,
  faultDurationMs: 500,
  downMs: 500,
  exceedBudget: false,
  interleaving: 'random',
}

/** The plan of a seed: the same options give the same plan. */
export function planOf({
  seed,
  nodes,
  seconds = 30,
  exceedBudget = false,
  interleaving = 'random',
  calm = false,
  workload = 'kv',
  topology = 'mesh',
}: PlanOptions): Plan {
  const dice = diceOf(seed, streams.plan)
  const drawnVoters = dice.pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7])
  const voters = nodes ?? drawnVoters
  const learners = dice.chance(0.3) ? 1 : 0
  const spares = dice.chance(0.4) ? dice.integer(1, 2) : 0
  const knobs = drawKnobs(dice)
  const scaleMs = knobs.electionTimeoutMinMs
  const hasPriorities = dice.chance(0.2)
  const total = voters + learners + spares
  const plan: Plan = {
    seed,
    faultMs: seconds * 1000,
    voters,
    learners,
    spares,
    knobs: workload === 'queue' ? knobsForQueue(knobs) : knobs,
    priorities: Array.from({ length: total }, () => (hasPriorities ? dice.pick([0, 50, 100]) : 100)),
    gateway: drawGateway(dice),
    sessions: drawSessions(dice),
    network: { delayMs: dice.magnitude(0.02, scaleMs / 40), jitterMs: dice.magnitude(0.01, scaleMs / 40) },
    topology,
    hints: { silentCrash: dice.pick([0, 0.1, 1]), exitTold: dice.pick([0, 0.8, 1]) },
    disk: {
      flushMs: dice.magnitude(0.02, scaleMs / 30),
      jitterMs: dice.magnitude(0.01, scaleMs / 30),
      bytesPerMs: dice.magnitude(1000, 1e6),
    },
    turn: drawTurn(dice),
    workload: drawWorkload(dice, knobs),
    // From a stream of its own: the others are what they were without it.
    queue: workload === 'queue' ? drawQueue(diceOf(seed, streams.queue), seconds * 1000) : plainQueue,
    weather: drawWeather(dice, scaleMs),
    rates: drawRates(dice, knobs),
    faultDurationMs: dice.magnitude(scaleMs / 2, 3000),
    downMs: dice.magnitude(20, 3000),
    exceedBudget,
    interleaving,
    // The last one that is drawn: the others are what they were without it.
    stateOnDisk: dice.chance(0.3) && workload === 'kv',
  }
  // Drawn last: what is drawn before it is as it was without.
  const rates = { ...plan.rates, rollBack: drawRate(dice, 'rollBack') }
  const network = overRoutes(plan.network, topology, total)
  return calm ? calmed({ ...plan, network }) : withForwarding({ ...plan, rates, network })
}

/** Timeouts are drawn for frames that cross one link: where they cross more, each is as much faster. */
function overRoutes(
  { delayMs, jitterMs }: NetworkSpeed,
  topology: OverlayTopology,
  count: number,
): NetworkSpeed {
  const nodes = Array.from({ length: count }, (_, at) => `n${at + 1}`)
  const plan = planOverlay(topology, nodes)
  const hops = nodes.flatMap((id) =>
    [...routesFrom(plan, id, () => true).values()].map((route) => route.hops),
  )
  const most = Math.max(1, ...hops)
  return { delayMs: delayMs / most, jitterMs: jitterMs / most }
}

/** Clients that talk to one node alone, where nodes forward and all of them stay. */
function withForwarding(plan: Plan): Plan {
  const { memberChange, jointChange, splitJoint, wipe } = plan.rates
  const throughNodes = plan.knobs.forwardProposals && memberChange + jointChange + splitJoint + wipe === 0
  return { ...plan, workload: { ...plan.workload, throughNodes } }
}

/** The same cluster under the same load, on a day on which nothing happens. */
function calmed(plan: Plan): Plan {
  const { rates, gateway } = plainPlan
  const { maxWaitingBytes, maxPendingReads } = gateway
  const { maxUncommittedBytes } = defaultRaftKnobs
  return {
    ...plan,
    knobs: { ...plan.knobs, maxUncommittedBytes },
    gateway: { ...plan.gateway, maxWaitingBytes, maxPendingReads },
    sessions: defaultSessionLimits,
    weather: [],
    rates,
    interleaving: 'random',
    isCalm: true,
  }
}

function drawTurn(dice: Dice): TurnSpeed {
  const meanMs = dice.magnitude(0.005, 0.2)
  return { leastMs: meanMs / 2, jitterMs: meanMs }
}

function drawKnobs(dice: Dice): RaftKnobs {
  const electionTimeoutMinMs = dice.magnitude(40, 400)
  const checkQuorum = dice.chance(0.8)
  const leaseReads = checkQuorum && dice.chance(0.5)
  return resolveRaftKnobs({
    electionTimeoutMinMs,
    electionTimeoutMaxMs: electionTimeoutMinMs * dice.between(1.3, 2.5),
    heartbeatIntervalMs: electionTimeoutMinMs / dice.between(3, 10),
    goneStaggerMs: dice.between(0, 5),
    goneRetryMs: dice.between(2, 20),
    preVote: dice.chance(0.8),
    checkQuorum,
    leaseReads,
    maxClockDrift: dice.pick([0.02, 0.1, 0.3]),
    transferTimeoutMs: electionTimeoutMinMs * dice.between(1, 6),
    maxPersistStallMs: electionTimeoutMinMs * dice.between(1, 10),
    forwardProposals: dice.chance(0.3),
    snapshotEntries: dice.pick([0, 5, 20, 100, 1000]),
    snapshotBytes: dice.pick([0, 0, 3000, 100_000]),
    keepEntries: dice.pick([0, 1, 10, 200]),
    snapshotChunkBytes: dice.pick([16, 200, 256 << 10]),
    maxAppendBytes: dice.pick([1, 200, 2000, 1 << 20]),
    maxInflightMessages: dice.pick([1, 2, 8, 64]),
    maxInflightBytes: dice.pick([1, 1000, 16 << 20]),
    maxUncommittedEntries: dice.pick([1, 4, 64]),
    maxUncommittedBytes: dice.pick([1, 2000, 64 << 20]),
    maxApplyBytes: dice.pick([1, 300, 4 << 20]),
    maxTailBytes: dice.pick([1, 1000, 8 << 20]),
  })
}

function drawGateway(dice: Dice): GatewayOptions {
  const drawn = {
    group: GROUP,
    lingerMs: dice.chance(0.2) ? dice.between(0.1, 5) : 0,
    maxBatchBytes: dice.pick([1, 200, 1 << 20]),
    maxBatchCommands: dice.pick([1, 3, 65_536]),
    maxWaitingBytes: dice.pick([300, 64 << 20]),
    maxPendingReads: dice.pick([2, 65_536]),
  }
  // No draw of its own: what follows stays as it is for every seed that is written down.
  return { ...drawn, commitLingerMs: drawn.maxPendingReads === 2 ? 0 : 5 }
}

function drawSessions(dice: Dice): SessionLimits {
  if (!dice.chance(0.2)) return defaultSessionLimits
  return {
    maxSessions: dice.integer(2, 6),
    maxUnconfirmedCommands: dice.pick([3, 3, 64]),
    sessionTtlMs: dice.pick([0, 2000]),
  }
}

function drawWorkload(dice: Dice, knobs: RaftKnobs): Workload {
  const fresh: Consistency[] = ['linearizable', 'follower']
  if (knobs.leaseReads) fresh.push('lease', 'lease')
  return {
    clients: dice.integer(1, 4),
    keys: dice.integer(1, 6),
    concurrency: dice.integer(1, 3),
    thinkMs: dice.magnitude(2, 100),
    reads: dice.between(0.1, 0.8),
    compareAndSets: dice.pick([0, 0.3]),
    consistencies: [...fresh, 'stale'],
    deadlineMs: dice.pick([knobs.electionTimeoutMinMs * 2, 5000, 60_000]),
    retransmitMs: Math.ceil(knobs.electionTimeoutMinMs * dice.between(0.5, 3)),
    throughNodes: false,
  }
}

function drawWeather(dice: Dice, scaleMs: number): LinkEffect[] {
  const often = (most: number): number => (dice.chance(0.5) ? dice.magnitude(0.1, most) : 0)
  const delay: LinkEffect = {
    kind: 'delay',
    timeMs: dice.magnitude(0.1, scaleMs / 4),
    jitterMs: dice.magnitude(0.1, scaleMs),
    distribution: dice.pick(['uniform', 'exponential', 'pareto'] as const),
  }
  const effects: LinkEffect[] = [
    { kind: 'loss', percent: often(30) },
    { kind: 'duplicate', percent: often(30) },
    { kind: 'corrupt', percent: often(5), bits: dice.integer(1, 3) },
    { kind: 'reorder', percent: often(30) },
  ]
  const drawn = effects.filter((effect) => 'percent' in effect && effect.percent > 0)
  return dice.chance(0.5) ? [...drawn, delay] : drawn
}

const damaging: ReadonlySet<FaultKind> = new Set([
  'wipe',
  'flipEntry',
  'flipSnapshot',
  'restartStorm',
  'failDisk',
])

const scenes: ReadonlySet<string> = new Set(sceneKinds)

export const isScene = (kind: FaultKind): kind is SceneKind => scenes.has(kind)

/** In how many seeds a fault is on, and then how often in a second: from `least` to `most`. */
function habitOf(kind: FaultKind): {
  readonly chance: number
  readonly least: number
  readonly most: number
} {
  // It takes many of these to be in the right place once.
  if (kind === 'usurp') return { chance: 0.6, least: 1, most: 4 }
  // Mostly it finds nobody to do it to.
  if (kind === 'crashReceiver') return { chance: 0.2, least: 0.3, most: 60 }
  if (kind === 'flipUncommitted') return { chance: 0.2, least: 0.3, most: 0.5 }
  // Mostly too few of the others have what is to be lost.
  if (kind === 'rollBack') return { chance: 0.25, least: 0.1, most: 1 }
  if (isScene(kind)) return { chance: 0.2, least: 0.3, most: 2 }
  return { chance: 0.45, least: 0.03, most: damaging.has(kind) ? 0.3 : 2 }
}

function drawRates(dice: Dice, knobs: RaftKnobs): Record<FaultKind, number> {
  const rates = {} as Record<FaultKind, number>
  for (const kind of faultKinds) {
    const rate = kind === 'rollBack' ? 0 : drawRate(dice, kind)
    // A lease is only as good as the bound on the clocks.
    rates[kind] = kind === 'jump' && knobs.leaseReads ? 0 : rate
  }
  return rates
}

function drawRate(dice: Dice, kind: FaultKind): number {
  const { chance, least, most } = habitOf(kind)
  const rate = dice.magnitude(least, most)
  return dice.chance(chance) ? rate : 0
}
