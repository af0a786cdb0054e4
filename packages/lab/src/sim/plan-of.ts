import type { Consistency } from '@troupe/machines'
import { type Plan, plainPlan } from '@troupe/sim'
import { setupOf } from '../directing/setup.ts'
import { knobsOf } from '../scenario/knobs.ts'
import { defaultClients, defaultVoters, nodeNames } from '../scenario/names.ts'
import type { Scenario, WorkloadSpec } from '../scenario/scenario.ts'
import { lengthOf } from '../scenario/timing.ts'

/** The plan that a scenario makes of a seed: nothing goes wrong in it by itself. */
export function planFor(scenario: Scenario, seed: number): Plan {
  const { cluster = {}, workload = {}, sim = {}, phases } = scenario
  const knobs = knobsOf(cluster)
  const { network = { time: 0.5, jitter: 0.5 }, flush = { time: 1, jitter: 1 } } = sim
  const lengthMs = lengthOf(setupOf(scenario)).mostMs + lengthOf(phases).mostMs
  return {
    ...plainPlan,
    seed,
    // The director heals when its phases are over; this is the latest.
    faultMs: lengthMs + 1000,
    voters: cluster.voters ?? defaultVoters,
    learners: cluster.learners ?? 0,
    spares: cluster.spares ?? 0,
    knobs,
    priorities: nodeNames(cluster).map(() => knobs.electionPriority),
    network: { delayMs: network.time, jitterMs: network.jitter ?? 0 },
    disk: { flushMs: flush.time, jitterMs: flush.jitter ?? 0, bytesPerMs: 1e5 },
    turn: { leastMs: 0.02, jitterMs: 0.05 },
    hints: {
      silentCrash: (sim.silentCrashes ?? 0) / 100,
      exitTold: (sim.provenDeaths ?? 100) / 100,
    },
    stateOnDisk: cluster.stateOnDisk ?? false,
    workload: workloadOf(workload, knobs.electionTimeoutMinMs),
    queue: queueOf(workload),
    exceedBudget: sim.exceedBudget ?? false,
    interleaving: sim.interleaving ?? 'random',
  }
}

/** How the queue of a workload is, and what clients do with it. */
export function queueOf({ kind, queue = {} }: WorkloadSpec): Plan['queue'] {
  const plain = plainPlan.queue
  return {
    ...plain,
    isOn: kind === 'queue',
    prefetch: queue.prefetch ?? plain.prefetch,
    leaseMs: queue.lease ?? plain.leaseMs,
    attempts: queue.attempts ?? plain.attempts,
    keyed: queue.keyed === undefined ? plain.keyed : queue.keyed / 100,
    named: queue.named === undefined ? plain.named : queue.named / 100,
  }
}

export function workloadOf(workload: WorkloadSpec, electionTimeoutMinMs: number): Plan['workload'] {
  const { mix = { read: 0.4, write: 0.5, cas: 0.1 } } = workload
  const { cas = 0 } = mix
  const writes = mix.write + cas
  return {
    clients: workload.clients ?? defaultClients,
    keys: workload.keys ?? 3,
    concurrency: workload.concurrency ?? 2,
    thinkMs: workload.think ?? 30,
    reads: mix.read,
    compareAndSets: writes === 0 ? 0 : cas / writes,
    consistencies: (workload.consistencies ?? ['linearizable']) as readonly Consistency[],
    deadlineMs: workload.deadline ?? 5000,
    retransmitMs: workload.retransmit ?? electionTimeoutMinMs,
    throughNodes: false,
  }
}
