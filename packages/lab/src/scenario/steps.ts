/**
 * What phases are made of: steps that order others, faults, and what clients and operators do. The words are those of
 * shared vocabulary of the field (docs/scenarios.md has them with what each engine can do).
 */
import { DIRECTIONS, DISTRIBUTIONS, FAILPOINTS, SPLITS, TOPOLOGIES } from '@troupe/faults'
import { situationNames } from '@troupe/sim'
import { figureNames } from '../figures.ts'
import { unobservable } from '../real/observable.ts'
import {
  about,
  choice,
  either,
  flag,
  type Infer,
  integer,
  list,
  named,
  number,
  type OneField,
  oneField,
  optional,
  part,
  record,
  type Schema,
  table,
  text,
} from '../schema/schema.ts'
import { byteRate, duration, percent, type Span, shift, span } from '../schema/units.ts'

/** Sets of nodes that are looked up when a step is done. Whoever selects names others uses a name of its own. */
export const nodeSets = [
  'all',
  'random',
  'one',
  'minority',
  'minority-third',
  'majority',
  'primaries',
  'leader',
  'follower',
  'followers',
  'sender',
  'receiver',
  'clients',
] as const

/** Kinds of messages between nodes, as `when` waits for them. */
const messageKinds = [
  'preVoteRequest',
  'preVoteReply',
  'voteRequest',
  'voteReply',
  'appendRequest',
  'appendReply',
  'heartbeat',
  'heartbeatReply',
  'timeoutNow',
  'readIndexRequest',
  'readIndexReply',
  'snapshotOffer',
  'snapshotPull',
  'snapshotChunk',
  'repairRequest',
  'repairReply',
] as const

const isText = (value: unknown): boolean => typeof value === 'string'

const namesOrList = either<string, readonly string[]>(isText, text, list(text, 1))

/** So many of those that are meant, drawn when the step is done. */
const some = record(
  {
    fixed: optional(about('so many', integer(1, 16))),
    percent: optional(about('that share, rounded down, and one at least', percent)),
    maxPercent: optional(about('a random number, up to that share', percent)),
    of: optional(about('of these; of all members where it is not given', namesOrList)),
  },
  '{ fixed: 2 }, { percent: 40% } or { maxPercent: 40% }, perhaps with of',
)

const anySelector = about(
  `a node, a name given by select, a list of them, one of ${nodeSets.join(', ')}, or some of these`,
  either<string, readonly string[] | Infer<typeof some>>(
    isText,
    text,
    either<readonly string[], Infer<typeof some>>(Array.isArray, list(text, 1), some),
  ),
)

/** Nodes: a set, a name, names, or some of them. */
export const selector = part('selector', anySelector.expected, () => anySelector)
export type Selector = Infer<typeof selector>
export type SomeSelector = Infer<typeof some>

export const isSome = (one: Selector): one is SomeSelector => typeof one === 'object' && !Array.isArray(one)

/** The names of sets and nodes in it. */
export function namesIn(one: Selector): readonly string[] {
  const names = isSome(one) ? (one.of ?? 'all') : one
  return typeof names === 'string' ? [names] : names
}

let names: readonly string[] | undefined
/** The dangerous places that the simulator knows by name. */
const knownSituations = (): readonly string[] => {
  names ??= situationNames()
  return names
}
const anySituation: Schema<string> = about(
  `what is dangerous, by name; in sim alone: ${[...unobservable].join(', ')}`,
  named('the name of a situation', knownSituations),
)
export const situation = part('situation', anySituation.expected, () => anySituation)

const forTime = optional(about('how long; without it until everything is healed', span))
const direction = optional(choice(...DIRECTIONS))
const links = { from: selector, to: selector, direction }
const target = { target: selector }
const refusable = {
  mayBeRefused: optional(
    about('on real nodes: a run goes on to count where all of this is refused; else it shows nothing', flag),
  ),
}

const chance = record({ percent, correlation: optional(percent) })
const overtaking = record({
  percent,
  correlation: optional(percent),
  gap: optional(about('only each so-many-th frame may', integer(1, 10_000))),
})
const delay = record({
  time: duration,
  jitter: optional(duration),
  correlation: optional(percent),
  distribution: optional(choice(...DISTRIBUTIONS)),
})
const burst = record({
  toBad: percent,
  toGood: percent,
  lossInBad: optional(percent),
  lossInGood: optional(percent),
})

const lossState = record({
  p13: about('from frames that get through to a burst of losses', percent),
  p31: optional(about('from the burst back (default: 100% − p13)', percent)),
  p32: optional(about('from the burst to frames that get through within it (default 0%)', percent)),
  p23: optional(about('and back to the burst (default 100%)', percent)),
  p14: optional(about('a single loss (default 0%)', percent)),
})
const slot = record({
  time: about('from turn to turn: all that wait leave together; two to draw between', span),
  frames: optional(about('so many leave in one turn', integer(1, 1_000_000))),
  bytes: optional(about('a turn is over with the frame that reaches so many', integer(1))),
})

const partition = record({
  split: optional(choice(...SPLITS)),
  topology: optional(choice(...TOPOLOGIES)),
  groups: optional(list(selector, 1)),
  direction,
  clients: optional(
    about(
      'all: they reach every node; apart: each stays on one side; isolated: all stay on the isolated side',
      choice('all', 'apart', 'isolated'),
    ),
  ),
  for: forTime,
})

const network = record({
  delay: optional(delay),
  loss: optional(either(isText, percent, chance)),
  burst: optional(about('loss in bursts, after Gilbert and Elliott', burst)),
  lossState: optional(about("loss by netem's chain of four states", lossState)),
  duplicate: optional(either(isText, percent, chance)),
  corrupt: optional(either(isText, percent, chance)),
  reorder: optional(
    about('needs a delay: this share is not delayed, and overtakes', either(isText, percent, overtaking)),
  ),
  rate: optional(byteRate),
  slot: optional(about('frames leave by turns', slot)),
  limit: optional(
    about('so many frames are on their way at most; what comes beside them is lost', integer(1, 1_000_000)),
  ),
  on: optional(about('without it on all links, of clients too', record(links))),
  for: forTime,
})

/** Kinds of toxics, and what each needs and may have, as toxiproxy names them. */
export const toxicTypes = {
  latency: { needs: ['latency'], may: ['jitter'] },
  bandwidth: { needs: ['rate'], may: [] },
  slow_close: { needs: ['delay'], may: [] },
  timeout: { needs: ['timeout'], may: [] },
  reset_peer: { needs: ['timeout'], may: [] },
  slicer: { needs: ['average_size'], may: ['size_variation', 'delay'] },
  limit_data: { needs: ['bytes'], may: [] },
  packet_loss: { needs: ['percent'], may: ['correlation'] },
} as const
export type ToxicType = keyof typeof toxicTypes

const typesOfToxics = Object.keys(toxicTypes) as readonly ToxicType[]

const toxicAttributes = record({
  latency: optional(duration),
  jitter: optional(duration),
  rate: optional(byteRate),
  delay: optional(duration),
  timeout: optional(about('0ms: reset at once; with type timeout never closed', duration)),
  average_size: optional(about('of a piece, in bytes', integer(1, 1_000_000))),
  size_variation: optional(about('by which pieces are shorter and longer, in bytes', integer(0, 1_000_000))),
  bytes: optional(integer(1)),
  percent: optional(about('of the pieces; lost ones are sent again, later', percent)),
  correlation: optional(percent),
})

const toxic = record({
  type: choice(...typesOfToxics),
  from: selector,
  to: selector,
  stream: optional(
    about(
      'upstream: what from sends; downstream (default): what comes back',
      choice('upstream', 'downstream'),
    ),
  ),
  toxicity: optional(about('share of the connections that have it, drawn for each (default 100%)', percent)),
  attributes: toxicAttributes,
  for: forTime,
})

const faults = {
  partition: about('cuts groups of nodes off from each other', partition),
  link: about(
    'drop: nothing arrives; slow: later; jam: held until it is over',
    record({ ...links, mode: choice('drop', 'slow', 'jam'), time: optional(duration), for: forTime }),
  ),
  network: about('what happens to frames by chance', network),
  toxic: about("what happens to streams between two parties, in toxiproxy's words: on tcp", toxic),
  swizzle: about(
    'links of nodes are jammed, one node after the other, and released in another order',
    record({ ...target, interval: duration }),
  ),
  flap: about('connections close and open again', record({ from: selector, to: selector })),
  hangUp: about("clients' connections close", record({ from: selector })),
  kill: about(
    'the process dies: what is not flushed is lost',
    record({
      ...target,
      downFor: optional(span),
      keepQuorum: optional(flag),
      leave: optional(about('nobody dies where no more than so many nodes are up', integer(0, 16))),
      silent: optional(about('no peer sees its connection close: as when a computer loses its power', flag)),
    }),
  ),
  bounce: about('dies, and comes back at once', record({ ...target, downFor: optional(span) })),
  restartStorm: about(
    'dies and comes back again and again; without a target some of all nodes, drawn each time',
    record({ target: optional(selector), interval: span, downFor: span, for: span }),
  ),
  attrition: about(
    'so many deaths, one after the other, as long as more than so many nodes are up',
    record({ kill: integer(1, 1000), leave: integer(0, 16), interval: span, downFor: span }),
  ),
  crashLoop: about(
    'dies so long after each start; its supervisor waits longer each time, and gives it up in the end',
    record({ ...target, after: span, for: forTime }),
  ),
  outOfMemory: about(
    'the thread ends at the limit of its heap',
    record({ ...target, downFor: optional(span) }),
  ),
  failpoint: about(
    'what it does whenever it comes to that place, in the words of gofail: panic, 2*off->1*panic, 50%sleep(100); counts begin anew with each start',
    record({ ...target, name: choice(...FAILPOINTS), term: text, for: forTime }),
  ),
  heap: about(
    'its heap is filled so far, on real nodes: the garbage collector has work; at 100% it dies of its limit',
    record({ ...target, percent, for: forTime }),
  ),
  start: about('a node that is down comes back', record(target)),
  pause: about(
    'takes no turns: a stopped process, a long garbage collection',
    record({ ...target, for: forTime }),
  ),
  stall: about(
    'the event loop is blocked: nothing is heard or sent, no timer runs',
    record({ ...target, for: span }),
  ),
  wipe: about('comes back with an empty directory, as another member', record({ ...target, ...refusable })),
  disk: about(
    'slow: by that factor; stall: nothing completes; full: refused for space; fail: the next flush fails; lie: flushes are said to be done, and a crash loses them',
    record({
      ...target,
      mode: choice('slow', 'stall', 'full', 'fail', 'lie'),
      by: optional(number(1, 10_000)),
      for: forTime,
    }),
  ),
  damage: about(
    'a flipped bit: in a flushed entry, so many places before the last one, or in the latest snapshot',
    record({
      ...target,
      what: choice('entry', 'snapshot'),
      back: optional(integer(0, 100_000)),
      count: optional(integer(1, 1000)),
      ...refusable,
    }),
  ),
  rollBack: about(
    'the node dies, and its last flushed entries are gone when it comes back',
    record({ ...target, entries: integer(1, 100_000), downFor: span, ...refusable }),
  ),
  term: about(
    'dies, and its directory says another, later term when it comes back',
    record({ ...target, becomes: integer(1, Number.MAX_SAFE_INTEGER), downFor: span, ...refusable }),
  ),
  clock: about(
    'bump: jumps once; rate: runs so many times as fast; step: jumps again and again; strobe: jumps there and back, again and again',
    record({
      ...target,
      mode: choice('bump', 'rate', 'step', 'strobe'),
      by: optional(shift),
      every: optional(duration),
      rate: optional(number(0.01, 100)),
      for: forTime,
    }),
  ),
} as const

const operations = {
  members: about(
    'changes of the members; several at once through a joint configuration; replace: by another member of that name, as wipe does',
    record({
      replace: optional(selector),
      add: optional(selector),
      promote: optional(selector),
      demote: optional(selector),
      remove: optional(selector),
      leave: optional(choice('auto', 'explicit')),
      ...refusable,
    }),
  ),
  transfer: about(
    'hands leadership over, to the best where none is named',
    record({ to: optional(selector), ...refusable }),
  ),
  elect: about('asks for votes', record({ ...target, ...refusable })),
  snapshot: about('takes a snapshot, and drops the log behind it', record({ ...target, ...refusable })),
  abandon: about(
    'a consumer of the queue is gone, with all that it holds; its client begins anew as another',
    record({ client: text }),
  ),
  write: about(
    'clients write a value that was never written before',
    record({
      client: optional(text),
      key: optional(text),
      times: optional(integer(1, 1000)),
      bytes: optional(
        about('of the value, at least; a client takes commands of up to 1 MiB', integer(1, 8 << 20)),
      ),
    }),
  ),
  read: about(
    'clients read; node answers, where the consistency lets it',
    record({
      client: optional(text),
      key: optional(text),
      node: optional(selector),
      consistency: optional(choice('linearizable', 'lease', 'follower', 'stale')),
      times: optional(integer(1, 1000)),
    }),
  ),
} as const

/** What is true or not at any moment of a run, and can be waited for. */
export const conditions = ['leader', 'noLeader', 'settled', 'whole', 'givenUp'] as const

const within = about('it is given up then', duration)

const waits = {
  wait: about('lets time pass', span),
  warmup: about(
    'waits for so many more acknowledged writes; without them the run counts for nothing',
    record({ writes: integer(1), within }),
  ),
  until: about(
    'waits; leader: somebody leads; noLeader: nobody does; settled: all members have all that is committed; whole: all members are up, and no log is damaged; givenUp: a supervisor starts a node no more',
    record({
      is: optional(choice(...conditions)),
      reached: optional(situation),
      within,
      else: optional(about('abort (default): the run is unknown', choice('abort', 'continue'))),
    }),
  ),
  statusCheck: about(
    'where a figure is not within its bounds now, the run is aborted: unknown',
    record({ figure: choice(...figureNames), max: optional(number(0)), min: optional(number(0)) }),
  ),
  select: about('gives names to nodes as they are now, for later targets', table(selector)),
  heal: about('all that lasts is over, and whoever is down comes back', choice('all')),
} as const

const steps: Schema<readonly Step[]> = part('steps', 'a list of steps', () => list(step, 1))

const nested = {
  serial: about('one after the other', steps),
  parallel: about('all at once; over when the last one is', steps),
  every: about(
    'again and again, with that time between beginnings',
    record({ interval: span, for: optional(duration), times: optional(integer(1, 100_000)), do: steps }),
  ),
  schedule: about(
    'each at its time from the beginning of this',
    list(record({ at: duration, do: steps }), 1),
  ),
  when: about(
    'from now on, whenever that happens: what is done then; sender and receiver are targets after a message',
    record({
      reached: optional(situation),
      sends: optional(choice(...messageKinds)),
      chance: optional(percent),
      times: optional(about('at most so often; once where it is not given', integer(1, 100_000))),
      do: steps,
    }),
  ),
} as const

const fields = { ...waits, ...nested, ...faults, ...operations } as const
type Leaves = typeof waits & typeof faults & typeof operations

/** A step with others in it; written out, since a type cannot be inferred from itself. */
export interface Nested {
  readonly serial: readonly Step[]
  readonly parallel: readonly Step[]
  readonly every: {
    readonly interval: Span
    readonly for?: number
    readonly times?: number
    readonly do: readonly Step[]
  }
  readonly schedule: readonly { readonly at: number; readonly do: readonly Step[] }[]
  readonly when: {
    readonly reached?: string
    readonly sends?: (typeof messageKinds)[number]
    readonly chance?: number
    readonly times?: number
    readonly do: readonly Step[]
  }
}

/** One step: an object with one field. */
export type Step = OneField<Leaves> | { [K in keyof Nested]: { readonly [L in K]: Nested[K] } }[keyof Nested]

/** What each kind of step is written with, by its name. */
export type StepFields = { readonly [K in keyof Leaves]: Infer<Leaves[K]> } & Nested
export type StepKind = keyof StepFields

export const step: Schema<Step> = part('step', 'a step', () => oneField('a step', fields) as Schema<Step>)

export const faultKinds = Object.keys(faults) as readonly (keyof typeof faults)[]

/** The kind of a step and what it is written with. */
export function kindOf(one: Step): StepKind {
  return Object.keys(one)[0] as StepKind
}
