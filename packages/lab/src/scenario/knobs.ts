import { RaftError, type RaftKnobs, resolveRaftKnobs } from '@troupe/core'
import type { Path, Report } from '../schema/schema.ts'
import type { AssertionSpec, ClusterSpec, Scenario, SimSpec, WorkloadSpec } from './scenario.ts'

/** The options of the protocol that a scenario asks for. @throws RaftError INVALID_OPTIONS */
export function knobsOf(cluster: ClusterSpec = {}): RaftKnobs {
  const {
    electionMs = [150, 300],
    heartbeatMs = 50,
    preVote,
    checkQuorum,
    leaseReads,
    maxClockDrift,
    raft,
  } = cluster
  const [electionTimeoutMinMs, electionTimeoutMaxMs] = electionMs
  return resolveRaftKnobs({
    electionTimeoutMinMs,
    electionTimeoutMaxMs,
    heartbeatIntervalMs: heartbeatMs,
    ...(preVote !== undefined && { preVote }),
    ...(checkQuorum !== undefined && { checkQuorum }),
    ...(leaseReads !== undefined && { leaseReads }),
    ...(maxClockDrift !== undefined && { maxClockDrift }),
    ...(raft as Partial<RaftKnobs>),
  })
}

/** The field of a scenario that a knob comes from. */
const fieldOfKnob: Readonly<Record<string, string>> = {
  electionTimeoutMinMs: 'electionMs',
  electionTimeoutMaxMs: 'electionMs',
  heartbeatIntervalMs: 'heartbeatMs',
}

/** Reports options that are refused, or do not go together. */
export function checkKnobs(cluster: ClusterSpec, path: Path, report: Report): void {
  try {
    knobsOf(cluster)
  } catch (error) {
    if (!RaftError.is(error, 'INVALID_OPTIONS')) throw error
    const { field, value, expected } = error.data
    const name = field.replace(/^raft\./, '')
    const isFurther = cluster.raft !== undefined && Object.hasOwn(cluster.raft, name)
    report({
      path: [...path, ...(isFurther ? ['raft', name] : [fieldOfKnob[name] ?? name])],
      value,
      expected,
    })
  }
}

/** Options of a scenario with others in the place of some of them. */
export interface Options {
  readonly cluster?: ClusterSpec
  readonly workload?: WorkloadSpec
  readonly sim?: SimSpec
}

/** The same scenario with these options. */
export function withOptions<S extends Options>(scenario: S, { cluster, workload, sim }: Options): S {
  const raft = { ...scenario.cluster?.raft, ...cluster?.raft }
  return {
    ...scenario,
    cluster: { ...scenario.cluster, ...cluster, ...(Object.keys(raft).length > 0 && { raft }) },
    workload: { ...scenario.workload, ...workload },
    sim: { ...scenario.sim, ...sim },
  }
}

/** The scenario as an engine is to run it: with its own options, and only what is asserted of it. */
export function onEngine(scenario: Scenario, engine: string): Scenario {
  const own = scenario.overrides?.[engine as 'sim']
  const { overrides: _, seeds: ofSim, ...rest } = own === undefined ? scenario : withOptions(scenario, own)
  // Where time is real a run takes its time: how many there are is said of that engine, or it is one.
  const seeds = { ...(isReal(engine) ? {} : ofSim), ...own?.seeds }
  return {
    ...rest,
    ...(Object.keys(seeds).length > 0 && { seeds }),
    ...(rest.assert !== undefined && { assert: assertedOn(rest.assert, engine) }),
  }
}

/** Whether its nodes are real, and its time with them. */
export const isReal = (engine: string): boolean => engine === 'threads' || engine === 'tcp'

/** What is asserted on this engine. */
function assertedOn(asserted: readonly AssertionSpec[], engine: string): readonly AssertionSpec[] {
  return asserted.flatMap((spec): readonly AssertionSpec[] => {
    if (!('only' in spec)) return [spec]
    return spec.only.engines.includes(engine) ? spec.only.assert : []
  })
}
