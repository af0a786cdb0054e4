import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import {
  checkQueue,
  declareQuorumQueue,
  type RabbitMqEndpoint,
  rabbitVersion,
} from '../clients/rabbitmq-client.ts'
import { NODES } from '../contestant.ts'
import { LOOPBACK } from '../free-ports.ts'
import type { ServerGroup } from '../server-group.ts'
import { type PeerDriver, programOf } from './peer-driver.ts'

export interface RabbitMember {
  /** Erlang's name of the node. */
  readonly node: string
  readonly port: number
  readonly distributionPort: number
}

const QUEUE = 'troupe'

/** Configuration file of each of `members`. */
export function rabbitConfiguration(member: RabbitMember, members: readonly RabbitMember[]): string {
  return `${[
    `listeners.tcp.default = ${LOOPBACK}:${member.port}`,
    'cluster_formation.peer_discovery_backend = classic_config',
    ...members.map(({ node }, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${node}`),
    'log.console = true',
    'log.console.level = warning',
    'log.file = false',
  ].join('\n')}\n`
}

/**
 * Environment of one node. Everything it writes goes into `folder`; Erlang's port mapper is one of ours, and nothing
 * listens beyond the loopback interface. Schedulers do not spin: what they burn would be taken from the other nodes.
 */
export function rabbitEnvironment(
  member: RabbitMember,
  folder: string,
  mapperPort: number,
): Record<string, string> {
  return {
    HOME: dirname(folder),
    ERL_EPMD_PORT: String(mapperPort),
    ERL_EPMD_ADDRESS: LOOPBACK,
    RABBITMQ_NODENAME: member.node,
    RABBITMQ_DIST_PORT: String(member.distributionPort),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'no-environment'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'no-advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: folder,
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none',
  }
}

/** The nodes know each other by one secret, and by a port mapper that is theirs alone. */
async function spawnNodes(servers: ServerGroup): Promise<RabbitMember[]> {
  const [mapperPort, ...ports] = (await servers.ports(1 + 2 * NODES)) as [number, ...number[]]
  const members = Array.from({ length: NODES }, (_, index) => ({
    node: `troupe-${index + 1}@localhost`,
    port: ports[2 * index] as number,
    distributionPort: ports[2 * index + 1] as number,
  }))
  servers.file('.erlang.cookie', randomBytes(20).toString('hex'))
  // The script itself: the one in the PATH is Debian's, which changes to another user first.
  const server = programOf('rabbitmq-server', '/usr/lib/rabbitmq/bin')
  servers.spawn('epmd', programOf('epmd'), ['-port', String(mapperPort), '-address', LOOPBACK])
  for (const [index, member] of members.entries()) {
    const name = `rabbitmq-${index + 1}`
    const folder = servers.folder(name)
    servers.file(`${name}/rabbitmq.conf`, rabbitConfiguration(member, members))
    servers.file(`${name}/enabled_plugins`, '[].\n')
    servers.spawn(name, server, [], rabbitEnvironment(member, folder, mapperPort))
  }
  return members
}

export const rabbitmq: PeerDriver = {
  facts: {
    name: 'rabbitmq',
    title: 'RabbitMQ quorum queue',
    transport: 'TCP, loopback',
    isDurable: true,
    acknowledgement: 'durable: a quorum has synced it to its write-ahead log (publisher confirm)',
    configuration: 'quorum queue of 3, defaults, schedulers that do not spin; one channel to its leader',
    recommendation:
      'quorum queues with publisher confirms; short queues; no busy waiting where cores are shared',
  },
  needs: { programs: ['rabbitmq-server', 'epmd'], debianPackage: 'rabbitmq-server', libraries: ['amqplib'] },
  startMs: 25_000,
  start: async (servers) => {
    const members = await spawnNodes(servers)
    const [first] = members as [RabbitMember]
    const endpoint: RabbitMqEndpoint = { host: LOOPBACK, port: first.port, queue: QUEUE }
    const version = await servers.until('RabbitMQ takes connections', async () => {
      const versions = await Promise.all(members.map(({ port }) => rabbitVersion({ ...endpoint, port })))
      return versions[0]
    })
    await servers.until('RabbitMQ has made the queue', async () => {
      await declareQuorumQueue(endpoint, NODES)
      // A node that has not found the others knows nothing of it.
      for (const { port } of members) await checkQueue({ ...endpoint, port })
      return true
    })
    return { version, endpoint }
  },
}
