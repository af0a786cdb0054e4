/**
 * Faults from flags: those of one command are injected together, under one id.
 *
 *     --node n2 --delay 200ms --jitter 50ms --loss 10%   what n2 sends and receives
 *     --node n2 --to n3 --direction outbound --link drop  what n2 sends to n3
 *     --node leader --clock bump --by 5s                  at whoever leads
 */
import type { OptionTable, OptionValues } from '@troupe/benchmarks'
import type { Fault } from '@troupe/cluster'
import { DEFAULT_FAULT_MS, DISTRIBUTIONS, FAILPOINTS, MAX_FAULT_MS } from '@troupe/cluster/remote'
import { invalidOption } from '@troupe/core'
import type { Schema } from '@troupe/lab'
import { byteRate, duration, percent, shift, span } from '@troupe/lab/units'

const time = (help: string) => ({ kind: 'text', placeholder: 'TIME', help }) as const
const share = (help: string) => ({ kind: 'text', placeholder: 'PERCENT', help }) as const

const SETS = ['leader', 'all', 'random', 'one', 'minority', 'minority-third', 'majority'] as const
const SPLITS = ['halves', 'one', 'minority-third', 'majority', 'primaries'] as const
const TOPOLOGIES = ['bridge', 'majorities-ring', 'chain', 'star'] as const

export const injectOptions = {
  node: { kind: 'text', placeholder: 'NAMES', help: `which: n1,n2,… or one of ${SETS.join(', ')}` },
  to: {
    kind: 'text',
    placeholder: 'NAMES',
    help: 'links to these',
    otherwise: 'all others',
  },
  direction: {
    kind: 'text',
    placeholder: 'NAME',
    help: 'both, outbound or inbound, seen from --node',
    otherwise: 'both',
  },
  delay: time('frames are late'),
  jitter: time('of --delay, or of --disk slow'),
  distribution: {
    kind: 'text',
    placeholder: 'NAME',
    help: `of --jitter: ${DISTRIBUTIONS.join(', ')}`,
    otherwise: 'uniform',
  },
  correlation: share('chance that a frame fares as the one before'),
  loss: share('frames that are lost'),
  burst: {
    kind: 'text',
    placeholder: 'LIST',
    help: 'loss in bursts (Gilbert–Elliott): to bad, to good, lost in bad (100%), lost in good (0%); as 1%,30%',
  },
  'loss-state': {
    kind: 'text',
    placeholder: 'LIST',
    help: "loss by netem's chain of states: p13, p31 (100% − p13), p32 (0%), p23 (100%), p14 (0%); as 1%,20%",
  },
  duplicate: share('frames that arrive twice'),
  reorder: share('frames that --delay does not delay: they overtake'),
  gap: { kind: 'integer', min: 1, help: 'of --reorder: each so-many-th at most' },
  corrupt: share('frames that are damaged: their checksum tells, and they are dropped'),
  rate: { kind: 'text', placeholder: 'RATE', help: 'bytes per second: 64kB/s' },
  slot: {
    kind: 'text',
    placeholder: 'TIMES',
    help: 'frames leave by turns, so far apart: 10ms, or drawn between 10ms..20ms',
  },
  'slot-frames': { kind: 'integer', min: 1, help: 'of --slot: so many leave in one turn' },
  limit: { kind: 'integer', min: 1, help: 'so many frames are on their way at most; what is more is lost' },
  link: { kind: 'text', placeholder: 'MODE', help: 'drop: nothing arrives; jam: held until it is over' },
  partition: {
    kind: 'text',
    placeholder: 'SHAPE',
    help: `${SPLITS.join(', ')}, ${TOPOLOGIES.join(', ')}, or groups: n1,n2/n3`,
  },
  disk: {
    kind: 'text',
    placeholder: 'MODE',
    help: 'slow (--by), stall, full, fail; the process dies and finds bit-flip (--count), torn, wipe; lose-unflushed',
  },
  count: { kind: 'integer', min: 1, max: 1000, help: 'of --disk bit-flip: so many bits' },
  clock: {
    kind: 'text',
    placeholder: 'MODE',
    help: 'bump (--by), rate (--factor), step or strobe (--by, --every)',
  },
  by: time('of --clock, with a sign: 5s, -5s; of --disk slow'),
  every: time('of --clock step and strobe'),
  factor: { kind: 'number', min: 0.01, max: 100, help: 'of --clock rate: so many times as fast' },
  kill: { kind: 'flag', help: 'the process dies; started again, it stays down until --for is over' },
  pause: { kind: 'flag', help: 'the process stands still' },
  stall: { kind: 'flag', help: 'its event loop is busy with something else' },
  heap: share('its heap is filled so far; at 100% it dies of its limit'),
  failpoint: {
    kind: 'text',
    placeholder: 'NAME=TERM',
    help: `${FAILPOINTS.join(', ')}, with a term as 2*off->1*panic, 50%sleep(100), return("EIO")`,
  },
  elect: { kind: 'flag', help: 'it asks for votes, once' },
  snapshot: { kind: 'flag', help: 'it takes a snapshot, once' },
  for: time(
    `how long; ${DEFAULT_FAULT_MS / 1000}s where it is not given, ${MAX_FAULT_MS / 3_600_000}h at most`,
  ),
} as const satisfies OptionTable

export const injectDetails = [
  'The faults of one command begin together and have one id. Each ends after its time, also when this command and its connection',
  'are gone; a node that restarts meanwhile has it again until then. Links are those between nodes, not those of clients.',
  'stdout has the id, stderr what was drawn. TROUPE_CONTROL_TOKEN as for `troupe status`.',
]

export type InjectValues = OptionValues<typeof injectOptions>

/** How long; undefined where nothing is said. @throws RaftError INVALID_OPTIONS */
export function forMsOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const forMs = read('--for', duration, given)
  if (forMs < 1 || forMs > MAX_FAULT_MS) throw invalidOption('--for', given, 'a time from 1ms to 1h')
  return forMs
}

/** @throws RaftError INVALID_OPTIONS for what does not go together, and where there is none */
export function faultsOf(values: InjectValues): readonly Fault[] {
  checkLoose(values)
  const faults = [
    ...partitionOf(values),
    ...linkFaults(values),
    ...clockOf(values),
    ...diskOf(values),
    ...processFaults(values),
  ]
  if (faults.length === 0)
    throw invalidOption(
      'fault',
      undefined,
      'one or more, such as --delay 200ms, --pause or --partition halves',
    )
  return faults
}

/** What belongs to another flag is of no use without it. */
function checkLoose(values: InjectValues): void {
  const { delay, disk, clock, reorder, loss, duplicate, corrupt, slot } = values
  const rests: [flag: keyof InjectValues, isUsed: boolean, of: string][] = [
    ['jitter', delay !== undefined || disk === 'slow', '--delay or --disk slow'],
    ['distribution', delay !== undefined, '--delay'],
    [
      'correlation',
      [delay, loss, duplicate, corrupt, reorder].some((each) => each !== undefined),
      '--delay or --loss',
    ],
    ['gap', reorder !== undefined, '--reorder'],
    ['slot-frames', slot !== undefined, '--slot'],
    ['by', disk === 'slow' || (clock !== undefined && clock !== 'rate'), '--clock or --disk slow'],
    ['count', disk === 'bit-flip', '--disk bit-flip'],
    ['every', clock === 'step' || clock === 'strobe', '--clock step or strobe'],
    ['factor', clock === 'rate', '--clock rate'],
  ]
  for (const [flag, isUsed, of] of rests) {
    if (values[flag] !== undefined && !isUsed) throw invalidOption(`--${flag}`, values[flag], `${of} with it`)
  }
}

// ---- links

function partitionOf({ partition, direction }: InjectValues): Fault[] {
  if (partition === undefined) return []
  const way = direction === undefined ? {} : { direction: directionOf(direction) }
  const split = SPLITS.find((name) => name === partition)
  if (split !== undefined) return [{ kind: 'partition', split, ...way }]
  const topology = TOPOLOGIES.find((name) => name === partition)
  if (topology !== undefined) return [{ kind: 'partition', topology }]
  const groups = partition.split('/').map((group) => group.split(',').map((name) => name.trim()))
  if (groups.some((group) => group.includes('')) || !/[\d/,]/.test(partition))
    throw invalidOption('--partition', partition, injectOptions.partition.help)
  return [{ kind: 'partition', groups, ...way }]
}

function linkFaults(values: InjectValues): Fault[] {
  const { link, rate, burst, limit, 'loss-state': states } = values
  const effects = [...delayOf(values), ...chancesOf(values)] as object[]
  if (burst !== undefined) effects.push({ kind: 'loss', gilbertElliott: burstOf(burst) })
  if (states !== undefined) effects.push({ kind: 'loss', states: lossStatesOf(states) })
  effects.push(...reorderOf(values), ...slotOf(values))
  if (rate !== undefined) effects.push({ kind: 'rate', bytesPerSecond: read('--rate', byteRate, rate) })
  if (limit !== undefined) effects.push({ kind: 'limit', frames: limit })
  if (link !== undefined) {
    if (link !== 'drop' && link !== 'jam') throw invalidOption('--link', link, 'drop or jam')
    effects.push({ kind: 'link', mode: link })
  }
  const on = linksOf(values)
  return effects.map((effect) => ({ ...effect, ...on }) as Fault)
}

function linksOf({ node, to, direction }: InjectValues): object {
  if (node === undefined && to === undefined) return {}
  const way = direction === undefined ? {} : { direction: directionOf(direction) }
  const [from, other] = [node ?? 'all', to ?? 'all']
  return { links: { from: nodesOf('--node', from), to: nodesOf('--to', other), ...way } }
}

function delayOf({ delay, jitter, distribution, correlation }: InjectValues): object[] {
  if (delay === undefined) return []
  const timeMs = read('--delay', duration, delay)
  const jitterMs = jitter === undefined ? {} : { jitterMs: read('--jitter', duration, jitter) }
  const shape = distribution === undefined ? {} : { distribution }
  return [{ kind: 'delay', timeMs, ...jitterMs, ...shape, ...correlationOf(correlation) }]
}

function chancesOf(values: InjectValues): object[] {
  return (['loss', 'duplicate', 'corrupt'] as const).flatMap((kind) => {
    const given = values[kind]
    if (given === undefined) return []
    return [{ kind, percent: read(`--${kind}`, percent, given), ...correlationOf(values.correlation) }]
  })
}

const correlationOf = (given: string | undefined): object =>
  given === undefined ? {} : { correlation: read('--correlation', percent, given) }

function burstOf(given: string): object {
  const parts = given.split(',').map((part) => read('--burst', percent, part.trim()))
  if (parts.length < 2 || parts.length > 4)
    throw invalidOption('--burst', given, 'two to four percentages, such as 1%,30%')
  const [toBad, toGood, lossInBad = 100, lossInGood = 0] = parts
  return { toBad, toGood, lossInBad, lossInGood }
}

function lossStatesOf(given: string): object {
  const parts = given.split(',').map((part) => read('--loss-state', percent, part.trim()))
  if (parts.length > 5) throw invalidOption('--loss-state', given, 'one to five percentages, such as 1%,20%')
  const names = ['p13', 'p31', 'p32', 'p23', 'p14']
  return Object.fromEntries(parts.map((part, at) => [names[at], part]))
}

function reorderOf({ reorder, correlation, gap }: InjectValues): object[] {
  if (reorder === undefined) return []
  const share = { percent: read('--reorder', percent, reorder), ...correlationOf(correlation) }
  return [{ kind: 'reorder', ...share, ...(gap && { gap }) }]
}

function slotOf({ slot, 'slot-frames': frames }: InjectValues): object[] {
  if (slot === undefined) return []
  const { leastMs, mostMs } = read('--slot', span, slot)
  return [{ kind: 'slot', timeMs: leastMs, mostMs, ...(frames && { frames }) }]
}

function directionOf(given: string): 'both' | 'outbound' | 'inbound' {
  if (given === 'both' || given === 'outbound' || given === 'inbound') return given
  throw invalidOption('--direction', given, 'both, outbound or inbound')
}

// ---- nodes

function clockOf(values: InjectValues): Fault[] {
  const { clock, by, every, factor } = values
  if (clock === undefined) return []
  const nodes = targetOf(values, '--clock')
  const byMs = (): number => read('--by', shift, needed('--by', by))
  const everyMs = (): number => read('--every', duration, needed('--every', every))
  switch (clock) {
    case 'bump':
      return [{ kind: 'clock', mode: clock, nodes, byMs: byMs() }]
    case 'rate':
      if (factor === undefined) throw invalidOption('--factor', factor, 'how many times as fast')
      return [{ kind: 'clock', mode: clock, nodes, rate: factor }]
    case 'step':
    case 'strobe':
      return [{ kind: 'clock', mode: clock, nodes, byMs: byMs(), everyMs: everyMs() }]
    default:
      throw invalidOption('--clock', clock, 'bump, rate, step or strobe')
  }
}

function diskOf(values: InjectValues): Fault[] {
  const { disk, by, jitter, count } = values
  if (disk === undefined) return []
  const nodes = targetOf(values, '--disk')
  switch (disk) {
    case 'slow': {
      const timeMs = read('--by', duration, needed('--by', by))
      const more = jitter === undefined ? {} : { jitterMs: read('--jitter', duration, jitter) }
      return [{ kind: 'storage', mode: disk, nodes, timeMs, ...more }]
    }
    case 'bit-flip':
      return [{ kind: 'storage', mode: disk, nodes, ...(count && { count }) }]
    case 'wipe':
      return [{ kind: 'wipe', nodes }]
    default: {
      const mode = (['stall', 'full', 'fail', 'torn', 'lose-unflushed'] as const).find(
        (each) => each === disk,
      )
      if (mode === undefined)
        throw invalidOption('--disk', disk, 'slow, stall, full, fail, bit-flip, torn, wipe or lose-unflushed')
      return [{ kind: 'storage', mode, nodes }]
    }
  }
}

function processFaults(values: InjectValues): Fault[] {
  const faults: Fault[] = []
  for (const kind of ['pause', 'elect', 'snapshot'] as const)
    if (values[kind]) faults.push({ kind, nodes: targetOf(values, `--${kind}`) })
  if (values.kill) faults.push({ kind: 'crash', nodes: targetOf(values, '--kill') })
  if (values.heap !== undefined)
    faults.push({
      kind: 'heap',
      nodes: targetOf(values, '--heap'),
      percent: read('--heap', percent, values.heap),
    })
  if (values.failpoint !== undefined) faults.push(failpointOf(values.failpoint, values))
  const forMs = forMsOf(values.for) ?? DEFAULT_FAULT_MS
  if (values.stall) faults.push({ kind: 'stall', nodes: targetOf(values, '--stall'), forMs })
  return faults
}

/** What stands behind the name is looked at where it is injected. */
function failpointOf(given: string, values: InjectValues): Fault {
  const [name = '', ...rest] = given.split('=')
  const known = FAILPOINTS.find((each) => each === name)
  if (known === undefined || rest.length === 0)
    throw invalidOption('--failpoint', given, `NAME=TERM, where NAME is one of ${FAILPOINTS.join(', ')}`)
  return { kind: 'failpoint', nodes: targetOf(values, '--failpoint'), name: known, term: rest.join('=') }
}

function targetOf({ node }: InjectValues, flag: string) {
  if (node === undefined) throw invalidOption('--node', node, `the node for ${flag}`)
  return nodesOf('--node', node)
}

type Nodes = readonly string[] | Exclude<(typeof SETS)[number], 'leader'> | 'primaries'

/** A set, or names. */
function nodesOf(flag: string, given: string): Nodes {
  if (given === 'leader') return 'primaries'
  const set = SETS.find((name) => name === given)
  if (set !== undefined && set !== 'leader') return set
  const names = given.split(',').map((name) => name.trim())
  if (names.includes('') || new Set(names).size < names.length)
    throw invalidOption(flag, given, `names of nodes, each once, or one of ${SETS.join(', ')}`)
  return names
}

function needed(flag: string, value: string | undefined): string {
  if (value === undefined) throw invalidOption(flag, value, 'a time with its unit, such as 150ms or 2s')
  return value
}

/** By the units of scenarios. */
function read<T>(flag: string, schema: Schema<T>, given: string): T {
  return schema.read(given, [], ({ expected }) => {
    throw invalidOption(flag, given, expected)
  })
}
