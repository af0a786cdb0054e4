/** The model of a scenario: a test case as data. One file holds one, or a template of several. */

import { figureNames } from '../figures.ts'
import {
  about,
  anything,
  choice,
  either,
  flag,
  type Infer,
  integer,
  list,
  number,
  oneField,
  optional,
  pair,
  record,
  type Schema,
  table,
  text,
} from '../schema/schema.ts'
import { duration, percent } from '../schema/units.ts'
import { situation, step } from './steps.ts'
import { tableSpec } from './table-spec.ts'

const ms = number(0.001, 3_600_000)

const cluster = record({
  voters: optional(about('n1, n2, … (default 3)', integer(1, 7))),
  learners: optional(about('the nodes behind them', integer(0, 3))),
  spares: optional(about('nodes that run, and are no members yet', integer(0, 3))),
  electionMs: optional(about('the shortest and the longest election timeout (default [150, 300])', pair(ms))),
  heartbeatMs: optional(about('default 50', ms)),
  preVote: optional(flag),
  checkQuorum: optional(flag),
  leaseReads: optional(flag),
  maxClockDrift: optional(number(0, 1)),
  durability: optional(choice('memory', 'acked-before-flush', 'flush-before-ack')),
  stateOnDisk: optional(about('whether machines keep their state on the disk', flag)),
  raft: optional(about('further options of the protocol, by their names', table(anything))),
})

const queue = record({
  prefetch: optional(about('what a consumer holds at most', integer(1, 1000))),
  lease: optional(about('how long a consumer may hold a message without a word', duration)),
  attempts: optional(about('failures after which a message is dead', integer(1, 255))),
  keyed: optional(about('share of the messages with a key, in whose order they are delivered', percent)),
  named: optional(about('share of the messages with an id, under which they may be sent again', percent)),
})

const workload = record({
  kind: optional(
    about('kv (default), or clients that send to a queue and consume it', choice('kv', 'queue')),
  ),
  queue: optional(queue),
  clients: optional(integer(1, 16)),
  keys: optional(integer(1, 1000)),
  concurrency: optional(about('operations of one client at the same time', integer(1, 64))),
  think: optional(about('mean time between an answer and the next question', duration)),
  mix: optional(record({ read: number(0, 1), write: number(0, 1), cas: optional(number(0, 1)) })),
  consistencies: optional(list(choice('linearizable', 'lease', 'follower', 'stale'), 1)),
  deadline: optional(about('how long a caller waits', duration)),
  retransmit: optional(about('after which time an unanswered command is sent again', duration)),
})

const speed = record({ time: duration, jitter: optional(duration) })

/** What only virtual time has. */
const sim = record({
  network: optional(about('how long a frame takes, and the mean of what chance adds', speed)),
  flush: optional(about('how long a flush takes, likewise', speed)),
  interleaving: optional(choice('random', 'priorities')),
  exceedBudget: optional(about('faults may destroy what a quorum has agreed on', flag)),
  silentCrashes: optional(about('share of crashes that close no connection', percent)),
  provenDeaths: optional(about('share of the others that a supervisor tells of', percent)),
})

const bound = record({
  max: optional(number(0)),
  min: optional(number(0)),
  mean: optional(number(0)),
  p50: optional(number(0)),
  p99: optional(number(0)),
})

const figures = about('bounds of what was measured, over all runs', boundsOf())

function boundsOf(): Schema<Readonly<Record<string, Infer<typeof bound>>>> {
  return record(Object.fromEntries(figureNames.map((name) => [name, optional(bound)]))) as unknown as Schema<
    Readonly<Record<string, Infer<typeof bound>>>
  >
}

function valuesOf(): Schema<Readonly<Record<string, number>>> {
  const values = record(Object.fromEntries(figureNames.map((name) => [name, optional(number(0))])))
  return values as unknown as Schema<Readonly<Record<string, number>>>
}

/** Bounds of the search for an order of each key's history. */
const linearizable = record({
  budget: optional(about('on real nodes, of all keys together (default 60s)', duration)),
  steps: optional(
    about('of the search in each key (default 2000000, in sim 500000)', integer(1, 1_000_000_000)),
  ),
  onTimeout: optional(
    about('what a history comes to that is not decided (default unknown)', choice('unknown', 'fail')),
  ),
})

const liveness = record({
  convergeWithin: optional(
    about('for each of its steps (default 60s; in sim in proportion to what has to be moved)', duration),
  ),
  freshWrites: optional(about('of every client (default 1)', integer(1, 1000))),
  freshReads: optional(about('of every client, of each consistency (default 1)', integer(1, 1000))),
})

const assertions = {
  sometimes: about(
    'traps that were reached: in at least one run, or the case is unknown',
    list(situation, 1),
  ),
  atLeast: about('figures that some run reached: the case is unknown without', valuesOf()),
  never: about('situations that no run reached', list(situation, 1)),
  figures,
  linearizable: about(
    'decided: every history was, or the case is unknown',
    either((value) => typeof value === 'boolean', flag, linearizable),
  ),
  liveness: about(
    'how it has to find together again once everything is healed, which it always has to',
    liveness,
  ),
  custom: about('an assertion of a plug-in', record({ name: text, with: optional(anything) })),
} as const

/** What is asserted; the invariants of the engine always hold. */
const assertion = oneField('an assertion', {
  ...assertions,
  only: about(
    'assertions that are made on these engines alone',
    record({ engines: list(text, 1), assert: list(oneField('an assertion', assertions), 1) }),
  ),
})
export type AssertionSpec = Infer<typeof assertion>

/** Options in the place of those above, on one engine: real time is another thing than virtual time. */
const overrides = record({
  cluster: optional(cluster),
  workload: optional(workload),
  seeds: optional(record({ base: optional(integer(0)), runs: optional(integer(1, 1_000_000)) })),
})

/** How it is shown that the case can fail. */
const proof = record({
  slips: optional(about('bugs on purpose, by name: with each of them the case fails', list(text, 1))),
  broken: optional(
    about(
      'options with which it does not pass',
      record({ cluster: optional(cluster), workload: optional(workload), sim: optional(sim) }),
    ),
  ),
})

export const scenario = record({
  name: about('unique, in a few words', text),
  source: optional(about('where it comes from', text)),
  about: optional(about('what happens, and what is to come of it', text)),
  engine: optional(about('which engines run it (default sim)', list(text, 1))),
  plugins: optional(
    about('modules with engines, assertions or data sources, as paths from this file', list(text, 1)),
  ),
  parameters: optional(
    about(
      'a table, lists to combine, or { file, query? }: each row is a case, and its values stand where its names do',
      anything,
    ),
  ),
  seeds: optional(
    about(
      'in sim; of other engines overrides say it, or it is one run',
      record({ base: optional(integer(0)), runs: optional(integer(1, 1_000_000)) }),
    ),
  ),
  cluster: optional(cluster),
  workload: optional(workload),
  sim: optional(sim),
  overrides: optional(
    about(
      'by engine: options in the place of those above',
      record({ sim: optional(overrides), threads: optional(overrides), tcp: optional(overrides) }),
    ),
  ),
  setup: optional(about('before anything goes wrong', list(step, 1))),
  phases: about('what happens, one after the other', list(step, 1)),
  expect: optional(
    about(
      'where failing is what must come of it: by which of these invariants',
      record({ fail: list(text, 1) }),
    ),
  ),
  assert: optional(about('what must be true in the end', list(assertion, 1))),
  proof: optional(proof),
  table: optional(about('what `troupe run --table` shows of the case', tableSpec)),
})

/** A scenario as it was read. */
export type Scenario = Infer<typeof scenario>
export type ClusterSpec = Infer<typeof cluster>
export type WorkloadSpec = Infer<typeof workload>
export type SimSpec = Infer<typeof sim>
export type Bound = Infer<typeof bound>
export type LinearizableSpec = Infer<typeof linearizable>
export type LivenessSpec = Infer<typeof liveness>
