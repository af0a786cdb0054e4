import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RaftError, seededRandom } from '@troupe/core'
import { checkFault } from '@troupe/faults'
import { parse } from 'yaml'
import { goDurationMs } from './fields.ts'
import { type ChaosExperiment, readChaosManifest } from './manifest.ts'
import type { ChaosCluster } from './selectors.ts'

const three: ChaosCluster = { nodes: ['n1', 'n2', 'n3'], leader: 'n2' }

/** What a manifest of that kind comes to; its faults are ones. */
function read(kind: string, spec: string, cluster = three): ChaosExperiment {
  const document = {
    apiVersion: 'chaos-mesh.org/v1alpha1',
    kind,
    metadata: { name: 'test', namespace: 'chaos-mesh' },
    spec: { mode: 'all', ...(parse(spec) as object) },
  }
  const experiment = readChaosManifest(document, cluster, seededRandom(1))
  for (const fault of experiment.faults) checkFault(fault)
  return experiment
}

const fieldsOf = ({ ignored }: ChaosExperiment): string[] => ignored.map(({ field }) => field)

const refused = (run: () => unknown, expected: RegExp): void => {
  assert.throws(run, (error) => RaftError.is(error, 'INVALID_OPTIONS') && expected.test(error.message))
}

const all = { from: ['n1', 'n2', 'n3'], to: 'all', direction: 'outbound' }

test('a delay with jitter, correlation and reordering, as the documentation of Chaos Mesh has it', () => {
  const found = read(
    'NetworkChaos',
    `{action: delay, duration: 5m, delay: {latency: 90ms, correlation: '25', jitter: 90ms,
      reorder: {reorder: '0.1', correlation: '50', gap: 5}}}`,
  )
  assert.deepEqual(found.faults, [
    { kind: 'delay', timeMs: 90, jitterMs: 90, correlation: 25, links: all },
    { kind: 'reorder', percent: 0.1, correlation: 50, gap: 5, links: all },
  ])
  assert.equal(found.forMs, 300_000)
  assert.deepEqual(fieldsOf(found), [])
})

test('netem puts several together; a single action leaves the others out, and says so', () => {
  const spec = (action: string): string =>
    `{action: ${action}, loss: {loss: '25', correlation: '25'}, duplicate: {duplicate: 40}, corrupt: {corrupt: '50%'}}`
  assert.deepEqual(read('NetworkChaos', spec('netem')).faults, [
    { kind: 'loss', percent: 25, correlation: 25, links: all },
    { kind: 'duplicate', percent: 40, links: all },
    { kind: 'corrupt', percent: 50, links: all },
  ])
  const one = read('NetworkChaos', spec('loss'))
  assert.equal(one.faults.length, 1)
  assert.deepEqual(fieldsOf(one), ['spec.duplicate', 'spec.corrupt'])
})

test('a partition between a selector and a target, by direction', () => {
  const found = read(
    'NetworkChaos',
    `{action: partition, direction: both, selector: {labelSelectors: {troupe/role: leader}},
      target: {mode: all, selector: {labelSelectors: {troupe/role: follower}}}}`,
  )
  const links = { from: ['n2'], to: ['n1', 'n3'], direction: 'both' }
  assert.deepEqual(found.faults, [{ kind: 'link', mode: 'drop', links }])
  assert.deepEqual(found.nodes, ['n2'])
  assert.deepEqual(fieldsOf(found), [])
  const from = read('NetworkChaos', '{action: partition, direction: from, externalTargets: [example.org]}')
  assert.deepEqual(from.faults, [{ kind: 'link', mode: 'drop', links: { ...all, direction: 'inbound' } }])
  assert.deepEqual(fieldsOf(from), ['spec.externalTargets'])
})

test('bandwidth in bytes or bits per second', () => {
  const found = read(
    'NetworkChaos',
    '{action: bandwidth, bandwidth: {rate: 1mbps, limit: 20971520, buffer: 10000, peakrate: 1000, minburst: 1}}',
  )
  assert.deepEqual(found.faults, [{ kind: 'rate', bytesPerSecond: 1e6, limitBytes: 20_971_520, links: all }])
  assert.deepEqual(fieldsOf(found), [
    'spec.bandwidth.buffer',
    'spec.bandwidth.peakrate',
    'spec.bandwidth.minburst',
  ])
  const bits = read('NetworkChaos', '{action: rate, rate: {rate: 8kbit}}')
  assert.deepEqual(bits.faults, [{ kind: 'rate', bytesPerSecond: 1000, links: all }])
})

test('pods that are killed come back at once, those that fail stay down for the duration', () => {
  const killed = read('PodChaos', '{action: pod-kill, gracePeriod: 5, duration: 30s}')
  assert.deepEqual(killed.faults, [{ kind: 'crash', nodes: ['n1', 'n2', 'n3'] }])
  assert.equal(killed.forMs, 1)
  assert.deepEqual(fieldsOf(killed), ['spec.gracePeriod', 'spec.duration'])
  const failed = read('PodChaos', '{action: pod-failure, duration: 30s, mode: one}')
  assert.equal(failed.forMs, 30_000)
  assert.equal(failed.nodes.length, 1)
})

test('IOChaos: the store is slow, full, or fails, always or by chance', () => {
  const nodes = ['n1', 'n2', 'n3']
  const slow = read(
    'IOChaos',
    "{action: latency, delay: 100ms, percent: 50, path: '/var/run/etcd/**/*', volumePath: /var/run/etcd}",
  )
  assert.deepEqual(slow.faults, [{ kind: 'storage', mode: 'slow', timeMs: 100, percent: 50, nodes }])
  assert.deepEqual(fieldsOf(slow), ['spec.path', 'spec.volumePath'])
  const full = read('IOChaos', '{action: fault, errno: 28, methods: [write, read]}')
  assert.deepEqual(full.faults, [{ kind: 'storage', mode: 'full', nodes }])
  assert.deepEqual(fieldsOf(full), ['spec.methods'])
  const failing = read('IOChaos', '{action: fault, errno: 5}')
  assert.deepEqual(failing.faults, [{ kind: 'storage', mode: 'fail', nodes }])
  const byChance = read('IOChaos', '{action: fault, errno: 5, percent: 30}')
  assert.deepEqual(byChance.faults, [
    { kind: 'failpoint', name: 'before-save', term: '30%return("EIO")', nodes },
  ])
})

test('TimeChaos moves the clock once', () => {
  const found = read('TimeChaos', "{timeOffset: '-10m100ns', clockIds: [CLOCK_REALTIME], duration: 1m}")
  assert.deepEqual(found.faults, [
    { kind: 'clock', mode: 'bump', byMs: -600_000.0001, nodes: ['n1', 'n2', 'n3'] },
  ])
  assert.deepEqual(fieldsOf(found), ['spec.clockIds', 'spec.duration'])
})

test('selectors by name, label and expression; modes draw', () => {
  const killed = (more: string, cluster = three): ChaosExperiment =>
    read('PodChaos', `{action: pod-kill, ${more}}`, cluster)
  assert.deepEqual(killed('selector: {pods: {default: [n1, n3]}}').nodes, ['n1', 'n3'])
  const byLabel = killed('selector: {namespaces: [db], labelSelectors: {app: etcd}}')
  assert.deepEqual(byLabel.nodes, three.nodes)
  assert.deepEqual(fieldsOf(byLabel), ['spec.selector.namespaces', 'spec.selector.labelSelectors.app'])
  assert.deepEqual(killed("selector: {labelSelectors: {apps.kubernetes.io/pod-index: '2'}}").nodes, ['n2'])
  assert.equal(killed("mode: fixed, value: '2'").nodes.length, 2)
  assert.equal(killed("mode: fixed-percent, value: '67'").nodes.length, 2)
  assert.ok(killed("mode: random-max-percent, value: '50'").nodes.length >= 1)
  const pods = {
    n1: { name: 'db-0', namespace: 'a', labels: { app: 'db', zone: 'x' } },
    n2: { name: 'db-1', namespace: 'a', labels: { app: 'db', zone: 'y' } },
    n3: { name: 'web-0', namespace: 'b', labels: { app: 'web' } },
  }
  const named = { ...three, pods }
  assert.deepEqual(killed('selector: {namespaces: [a], labelSelectors: {app: db}}', named).nodes, [
    'n1',
    'n2',
  ])
  assert.deepEqual(killed('selector: {pods: {a: [db-1, web-0]}}', named).nodes, ['n2'])
  const expression = (text: string): readonly string[] =>
    killed(`selector: {expressionSelectors: [${text}]}`, named).nodes
  assert.deepEqual(expression('{key: zone, operator: In, values: [x]}'), ['n1'])
  assert.deepEqual(expression('{key: zone, operator: NotIn, values: [x]}'), ['n2', 'n3'])
  assert.deepEqual(expression('{key: zone, operator: Exists}'), ['n1', 'n2'])
  assert.deepEqual(expression('{key: zone, operator: DoesNotExist}'), ['n3'])
  refused(
    () => killed('selector: {labelSelectors: {app: none}}', named),
    /spec.selector .* expected one that some node fits/,
  )
})

test('what is no manifest, or what nothing would remain of, is refused by name', () => {
  const refusals: [string, string, RegExp][] = [
    ['StressChaos', '{}', /kind is "StressChaos"; expected NetworkChaos, PodChaos/],
    ['NetworkChaos', '{action: explode}', /spec.action is "explode"/],
    ['NetworkChaos', '{action: delay}', /spec.delay is undefined/],
    ['NetworkChaos', '{action: delay, delay: {latency: soon}}', /spec.delay.latency is "soon"/],
    ['NetworkChaos', '{action: loss, loss: {loss: 101}}', /spec.loss.loss is 101/],
    [
      'NetworkChaos',
      '{action: loss, loss: {loss: 1, lose: 2}}',
      /spec.loss.lose is 2; expected one of the fields/,
    ],
    ['NetworkChaos', '{action: netem}', /spec.action is "netem"; expected with netem one of/],
    ['NetworkChaos', '{action: bandwidth, bandwidth: {rate: fast}}', /spec.bandwidth.rate is "fast"/],
    ['PodChaos', '{action: pod-kill, mode: some}', /spec.mode is "some"/],
    ['PodChaos', '{action: pod-kill, mode: fixed, value: 9}', /spec.value is 9; expected how many of 3/],
    ['PodChaos', '{action: pod-kill, wait: 1}', /spec.wait is 1/],
    ['PodChaos', '{action: pod-failure, duration: long}', /spec.duration is "long"/],
    ['IOChaos', '{action: mistake}', /mistake has no meaning here/],
    ['IOChaos', '{action: latency, delay: 1s, methods: [read]}', /spec.methods is an array of 1/],
    ['IOChaos', '{action: fault}', /spec.errno is undefined/],
    ['TimeChaos', '{}', /spec.timeOffset is undefined/],
  ]
  for (const [kind, spec, expected] of refusals) refused(() => read(kind, spec), expected)
  refused(() => readChaosManifest('x', three, seededRandom(1)), /is "x"; expected an object/)
  refused(
    () => readChaosManifest({ apiVersion: 'v1', kind: 'Pod' }, three, seededRandom(1)),
    /apiVersion is "v1"/,
  )
})

test('an experiment that is paused is not run', () => {
  const document = {
    apiVersion: 'chaos-mesh.org/v1alpha1',
    kind: 'PodChaos',
    metadata: { name: 'x', annotations: { 'experiment.chaos-mesh.org/pause': 'true' } },
    spec: { mode: 'one', action: 'pod-kill' },
  }
  refused(
    () => readChaosManifest(document, three, seededRandom(1)),
    /expected an experiment that is not paused/,
  )
})

test('times as Go writes them', () => {
  assert.deepEqual(['1h2m3.5s', '300ms', '-5s', '0', '1', 'soon', ''].map(goDurationMs), [
    3_723_500,
    300,
    -5000,
    0,
    undefined,
    undefined,
    undefined,
  ])
})
