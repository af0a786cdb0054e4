/**
 * Which nodes a selector of pods means. A node is a pod: without a list of pods its name is the node's, and it has the
 * labels that a StatefulSet gives (`statefulset.kubernetes.io/pod-name`, `apps.kubernetes.io/pod-index`) and
 * `troupe/role`, which is `leader` or `follower` at the moment. Labels that no node has then are taken for those of the whole
 * cluster, as `app`: they match every node, and that is told.
 */
import type { NodeId, Random } from '@troupe/core'
import { type Amount, countOf, someOf } from '../directing/some-of.ts'
import { type Fields, Fields as NewFields } from './fields.ts'

/** What a node is called in a cluster of pods. */
export interface PodOfNode {
  readonly name?: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export interface ChaosCluster {
  readonly nodes: readonly NodeId[]
  readonly leader: NodeId | undefined
  /** Undefined: nobody has said. */
  readonly pods?: Readonly<Record<NodeId, PodOfNode>> | undefined
}

const MODES = ['one', 'all', 'fixed', 'fixed-percent', 'random-max-percent'] as const

interface Pod {
  readonly id: NodeId
  readonly name: string
  readonly namespace: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/**
 * The nodes that `mode`, `value` and `selector` of `spec` mean, drawn where they leave it open.
 * @throws RaftError INVALID_OPTIONS for what is none, and for a selector that no node fits
 */
export function selectPods(spec: Fields, cluster: ChaosCluster, random: Random): readonly NodeId[] {
  const found = matching(spec, cluster)
  const mode = spec.needed('mode', spec.choice('mode', MODES), MODES.join(', '))
  if (mode === 'one' || mode === 'all') spec.ignore(['value'], `mode ${mode} needs none`)
  if (found.length === 0) spec.refuse('selector', `one that some node fits: ${cluster.nodes.join(', ')}`)
  if (mode === 'all') return found
  const amount = mode === 'one' ? { fixed: 1 } : amountOf(spec, mode, found.length)
  return someOf(found, countOf(amount, found.length, random), random)
}

function amountOf(
  spec: Fields,
  mode: 'fixed' | 'fixed-percent' | 'random-max-percent',
  total: number,
): Amount {
  if (mode === 'fixed') {
    const fixed = spec.needed('value', spec.integer('value'), 'how many')
    return fixed >= 1 && fixed <= total ? { fixed } : spec.refuse('value', `how many of ${total}`)
  }
  const share = spec.needed('value', spec.percent('value'), 'a percentage from 0 to 100')
  return mode === 'fixed-percent' ? { percent: share } : { maxPercent: share }
}

function matching(spec: Fields, cluster: ChaosCluster): readonly NodeId[] {
  const selector = spec.inside('selector') ?? new NewFields(spec.path('selector'), {})
  const pods = cluster.nodes.map((id) => podOf(id, cluster))
  const tests = [
    namespacesOf(selector, cluster),
    podsOf(selector),
    labelsOf(selector, cluster, pods),
    annotationsOf(selector, cluster),
    ...expressionsOf(selector, cluster, pods),
  ]
  selector.ignore(
    ['fieldSelectors', 'nodes', 'nodeSelectors', 'podPhaseSelectors'],
    'there are no pods on machines of Kubernetes here',
  )
  selector.end()
  return pods.filter((pod) => tests.every((fits) => fits(pod))).map(({ id }) => id)
}

function podOf(id: NodeId, { leader, pods }: ChaosCluster): Pod {
  const { name = id, namespace, labels = {}, annotations = {} } = pods?.[id] ?? {}
  const own: Record<string, string> = { 'statefulset.kubernetes.io/pod-name': name }
  const place = /(\d+)$/.exec(name)?.[1]
  if (place !== undefined) own['apps.kubernetes.io/pod-index'] = place
  own['troupe/role'] = id === leader ? 'leader' : 'follower'
  return { id, name, namespace, labels: { ...own, ...labels }, annotations }
}

type Test = (pod: Pod) => boolean
const anybody: Test = () => true

function namespacesOf(selector: Fields, { pods }: ChaosCluster): Test {
  if (pods === undefined) {
    selector.ignore(['namespaces'], 'the cluster is in none: it matches every node')
    return anybody
  }
  const names = selector.names('namespaces')
  return ({ namespace }) => names === undefined || namespace === undefined || names.includes(namespace)
}

/** Names by namespace. */
function podsOf(selector: Fields): Test {
  const given = selector.inside('pods')
  if (given === undefined) return anybody
  const byNamespace = selector.raw('pods') as Readonly<Record<string, unknown>>
  const names = new Map(
    Object.keys(byNamespace).map((namespace) => [namespace, new Set(given.names(namespace) ?? [])]),
  )
  return ({ name, namespace }) =>
    namespace === undefined
      ? [...names.values()].some((each) => each.has(name))
      : names.get(namespace)?.has(name) === true
}

function labelsOf(selector: Fields, cluster: ChaosCluster, pods: readonly Pod[]): Test {
  const wanted = textsOf(selector, 'labelSelectors')
  const keys = Object.keys(wanted).filter((key) => isKnown(selector, 'labelSelectors', key, cluster, pods))
  return ({ labels }) => keys.every((key) => labels[key] === wanted[key])
}

function annotationsOf(selector: Fields, { pods }: ChaosCluster): Test {
  if (pods === undefined) {
    selector.ignore(['annotationSelectors'], 'nodes have no annotations: it matches every node')
    return anybody
  }
  const wanted = Object.entries(textsOf(selector, 'annotationSelectors'))
  return ({ annotations }) => wanted.every(([key, value]) => annotations[key] === value)
}

/** Whether somebody has a label of that name: where nobody has said which pods there are, any other is everybody's. */
function isKnown(
  selector: Fields,
  name: string,
  key: string,
  { pods }: ChaosCluster,
  all: readonly Pod[],
): boolean {
  if (pods !== undefined || all.some(({ labels }) => labels[key] !== undefined)) return true
  selector.tell(
    `${name}.${key}`,
    'no node has that label: it matches every node; a list of pods gives them labels',
  )
  return false
}

function textsOf(selector: Fields, name: string): Readonly<Record<string, string>> {
  const inside = selector.inside(name)
  if (inside === undefined) return {}
  const keys = Object.keys(selector.raw(name) as object)
  return Object.fromEntries(keys.map((key) => [key, inside.text(key) ?? '']))
}

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

function expressionsOf(selector: Fields, cluster: ChaosCluster, pods: readonly Pod[]): Test[] {
  const given = selector.raw('expressionSelectors')
  if (given === undefined) return []
  if (!Array.isArray(given)) return selector.refuse('expressionSelectors', 'a list')
  return given.map((each, place) => {
    const fields = new NewFields(selector.path(`expressionSelectors[${place}]`), each)
    const key = fields.needed('key', fields.text('key'), 'the name of a label')
    const operator = fields.needed('operator', fields.choice('operator', OPERATORS), OPERATORS.join(', '))
    const values = fields.names('values') ?? []
    fields.end()
    if (!isKnown(selector, 'expressionSelectors', key, cluster, pods)) return anybody
    return ({ labels }) => fits(operator, labels[key], values)
  })
}

function fits(
  operator: (typeof OPERATORS)[number],
  label: string | undefined,
  values: readonly string[],
): boolean {
  switch (operator) {
    case 'In':
      return label !== undefined && values.includes(label)
    case 'NotIn':
      return label === undefined || !values.includes(label)
    case 'Exists':
      return label !== undefined
    case 'DoesNotExist':
      return label === undefined
  }
}
