/**
 * Manifests of Chaos Mesh as faults: what has a meaning here is done as it is written, what has none is named.
 *
 *     kind, spec.selector, spec.mode ─► nodes ─┬─ NetworkChaos ─► links
 *                                              ├─ PodChaos ─────► crashes
 *                                              ├─ IOChaos ──────► the log's store
 *                                              └─ TimeChaos ────► the clock
 */
import { invalidOption, type NodeId, type Random } from '@troupe/core'
import type { Fault } from '@troupe/faults'
import { Fields, type IgnoredField } from './fields.ts'
import { networkChaos } from './network-chaos.ts'
import { type ChaosCluster, selectPods } from './selectors.ts'

export interface ChaosExperiment {
  readonly kind: string
  readonly name: string
  readonly nodes: readonly NodeId[]
  readonly faults: readonly Fault[]
  /** Undefined where the manifest says nothing. */
  readonly forMs: number | undefined
  /** Fields without a meaning. */
  readonly ignored: readonly IgnoredField[]
}

const API = /^(chaos-mesh\.org|pingcap\.com)\/v1alpha1$/
const KINDS = ['NetworkChaos', 'PodChaos', 'IOChaos', 'IoChaos', 'TimeChaos'] as const
const PAUSED = 'experiment.chaos-mesh.org/pause'

/**
 * @throws RaftError INVALID_OPTIONS naming the field: for what is no such manifest, what nothing would remain of, and fields
 *   that Chaos Mesh does not know either
 */
export function readChaosManifest(document: unknown, cluster: ChaosCluster, random: Random): ChaosExperiment {
  const ignored: IgnoredField[] = []
  const manifest = new Fields('', document, ignored)
  const api = manifest.text('apiVersion')
  if (api === undefined || !API.test(api)) manifest.refuse('apiVersion', 'chaos-mesh.org/v1alpha1')
  const kind = manifest.needed('kind', manifest.choice('kind', KINDS), KINDS.join(', '))
  const metadata = manifest.inside('metadata') ?? manifest.refuse('metadata', 'an object with a name')
  const name = metadata.needed('name', metadata.text('name'), 'a name')
  refusePaused(metadata)
  manifest.ignore(['status'], 'it is what became of an earlier run')
  const spec = manifest.inside('spec') ?? manifest.refuse('spec', 'an object')
  manifest.end()
  const nodes = selectPods(spec, cluster, random)
  const { faults, forMs } = chaosOf(kind, spec, nodes, cluster, random)
  spec.ignore(['scheduler'], 'it happens once, now')
  spec.ignore(['containerNames', 'containerName'], 'a node is one process')
  spec.end()
  return { kind, name, nodes, faults, forMs, ignored }
}

function refusePaused(metadata: Fields): void {
  const isPaused = metadata.inside('annotations')?.text(PAUSED) === 'true'
  if (isPaused)
    throw invalidOption(`metadata.annotations.${PAUSED}`, 'true', 'an experiment that is not paused')
}

interface Chaos {
  readonly faults: readonly Fault[]
  readonly forMs: number | undefined
}

function chaosOf(
  kind: (typeof KINDS)[number],
  spec: Fields,
  nodes: readonly NodeId[],
  cluster: ChaosCluster,
  random: Random,
): Chaos {
  switch (kind) {
    case 'PodChaos':
      return podChaos(spec, nodes)
    case 'NetworkChaos':
      return { faults: networkChaos(spec, nodes, cluster, random), forMs: spec.duration('duration') }
    case 'TimeChaos':
      return { faults: timeChaos(spec, nodes), forMs: spec.duration('duration') }
    default:
      return { faults: ioChaos(spec, nodes), forMs: spec.duration('duration') }
  }
}

/** Long enough to be down at all: whoever supervises the process starts it again at once. */
const KILLED_MS = 1

function podChaos(spec: Fields, nodes: readonly NodeId[]): Chaos {
  const actions = ['pod-kill', 'pod-failure', 'container-kill'] as const
  const action = spec.needed('action', spec.choice('action', actions), actions.join(', '))
  spec.ignore(['gracePeriod'], 'the process is killed at once')
  const faults: readonly Fault[] = [{ kind: 'crash', nodes }]
  if (action === 'pod-failure') return { faults, forMs: spec.duration('duration') }
  spec.ignore(['duration'], `${action} happens once: whoever supervises the process starts it again`)
  return { faults, forMs: KILLED_MS }
}

function timeChaos(spec: Fields, nodes: readonly NodeId[]): readonly Fault[] {
  const byMs = spec.needed(
    'timeOffset',
    spec.duration('timeOffset', true),
    'a time with its units, such as -10m',
  )
  spec.ignore(['clockIds'], 'a node reads one clock, a monotonic one: it is what jumps')
  if (spec.has('duration'))
    spec.tell('duration', 'the clock jumps once; one that does not run backwards has no way back')
  return [{ kind: 'clock', mode: 'bump', byMs, nodes }]
}

/** No space is left, or no quota. */
const FULL = [28, 122]
const WRITES = ['write', 'fsync', 'flush']

function ioChaos(spec: Fields, nodes: readonly NodeId[]): readonly Fault[] {
  const actions = ['latency', 'fault', 'attrOverride', 'mistake'] as const
  const action = spec.needed('action', spec.choice('action', actions), actions.join(', '))
  spec.ignore(['path', 'volumePath'], "it is the log's store that is slow, full or failing")
  const methods = (spec.names('methods') ?? WRITES).map((method) => method.toLowerCase())
  if (!methods.some((method) => WRITES.includes(method)))
    spec.refuse(
      'methods',
      `one of ${WRITES.join(', ')} among them: nothing else of a node's disk can be slow or fail`,
    )
  for (const method of methods.filter((each) => !WRITES.includes(each)))
    spec.tell('methods', `${method}: only writes and flushes are concerned`)
  const percent = spec.percent('percent') ?? 100
  if (action === 'latency') return [latency(spec, nodes, percent)]
  if (action === 'fault') return [failing(spec, nodes, percent)]
  return spec.refuse('action', `latency or fault: ${action} has no meaning here`)
}

function latency(spec: Fields, nodes: readonly NodeId[], percent: number): Fault {
  const timeMs = spec.needed('delay', spec.duration('delay'), 'a time with its unit, such as 100ms')
  spec.ignore(['errno', 'attr', 'mistake'], 'the action is latency')
  return { kind: 'storage', mode: 'slow', timeMs, ...(percent < 100 && { percent }), nodes }
}

function failing(spec: Fields, nodes: readonly NodeId[], percent: number): Fault {
  const errno = spec.needed('errno', spec.integer('errno'), 'the number of an error, such as 5 or 28')
  spec.ignore(['delay', 'attr', 'mistake'], 'the action is fault')
  if (FULL.includes(errno)) {
    if (percent < 100) spec.tell('percent', 'a full disk is full')
    return { kind: 'storage', mode: 'full', nodes }
  }
  if (errno !== 5) spec.tell('errno', 'a write that fails fails as with EIO (5)')
  if (percent === 100) return { kind: 'storage', mode: 'fail', nodes }
  return { kind: 'failpoint', name: 'before-save', term: `${percent}%return("EIO")`, nodes }
}
