import assert from 'node:assert/strict'
import { test } from 'node:test'
import { etcdArguments } from './etcd.ts'
import { leaderOf, natsConfiguration } from './jetstream.ts'
import { rabbitConfiguration, rabbitEnvironment } from './rabbitmq.ts'
import { redisConfiguration } from './redis.ts'

test('a member of etcd knows all members, and listens on ports of its own', () => {
  const members = [1, 2, 3].map((number) => ({
    name: `etcd-${number}`,
    clientPort: 100 + number,
    peerPort: 200 + number,
  }))
  const [, second] = members
  assert.ok(second)
  const flags = etcdArguments(second, members, 'data')
  assert.ok(flags.includes('--listen-client-urls=http://127.0.0.1:102'))
  assert.ok(flags.includes('--listen-peer-urls=http://127.0.0.1:202'))
  const cluster = [1, 2, 3].map((number) => `etcd-${number}=http://127.0.0.1:20${number}`).join(',')
  assert.ok(flags.includes(`--initial-cluster=${cluster}`))
  assert.ok(flags.every((flag) => /^--[a-z-]+=/.test(flag)))
})

test('a server of NATS has routes to all, and its files where it is told', () => {
  const members = [1, 2, 3].map((number) => ({
    name: `nats-${number}`,
    clientPort: 100 + number,
    routePort: 200 + number,
  }))
  const [first] = members
  assert.ok(first)
  const text = natsConfiguration(first, members, 'a "quoted" folder')
  assert.match(text, /^listen: "127\.0\.0\.1:101"$/m)
  assert.match(text, /^ {2}listen: "127\.0\.0\.1:201"$/m)
  assert.match(text, /store_dir: "a \\"quoted\\" folder"/)
  for (const port of [201, 202, 203]) assert.ok(text.includes(`nats://127.0.0.1:${port}`))
})

test('a stream is ready once it has a leader and both its followers are current', () => {
  const state = { messages: 0 }
  const replica = (current: boolean) => ({ name: 'n', current })
  const ready = { leader: 'nats-1', replicas: [replica(true), replica(true)] }
  assert.equal(leaderOf({ state, cluster: ready }), 'nats-1')
  assert.equal(leaderOf({ state }), undefined)
  assert.equal(leaderOf({ state, cluster: { ...ready, leader: '' } }), undefined)
  assert.equal(leaderOf({ state, cluster: { ...ready, replicas: [replica(true)] } }), undefined)
  assert.equal(
    leaderOf({ state, cluster: { ...ready, replicas: [replica(true), replica(false)] } }),
    undefined,
  )
})

test('nodes of RabbitMQ join the first, and share nothing with others of this machine', () => {
  const first = { node: 'troupe-1@localhost', port: 101, distributionPort: 201 }
  const second = { node: 'troupe-2@localhost', port: 102, distributionPort: 202 }
  assert.match(
    rabbitConfiguration(second, first),
    /nodes\.1 = troupe-1@localhost\n.*nodes\.2 = troupe-2@localhost\n/,
  )
  assert.doesNotMatch(rabbitConfiguration(first, first), /nodes\.2/)
  const env = rabbitEnvironment(second, 'base/rabbitmq-2', 300)
  assert.deepEqual([env['ERL_EPMD_PORT'], env['RABBITMQ_DIST_PORT'], env['HOME']], ['300', '202', 'base'])
  const files = [
    'RABBITMQ_CONFIG_FILE',
    'RABBITMQ_MNESIA_BASE',
    'RABBITMQ_LOG_BASE',
    'RABBITMQ_CONF_ENV_FILE',
  ]
  for (const name of files) assert.ok(env[name]?.startsWith('base/rabbitmq-2'), name)
})

test('a replica of Redis follows the primary', () => {
  assert.doesNotMatch(redisConfiguration(1, 'd'), /replicaof/)
  assert.match(redisConfiguration(2, 'd', 1), /^replicaof 127\.0\.0\.1 1$/m)
  assert.match(redisConfiguration(2, 'd', 1), /^appendonly yes$/m)
})
