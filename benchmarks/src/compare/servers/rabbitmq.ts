import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { LOOPBACK } from '../../engine/free-ports.ts'
import {
  checkQueue,
  declareQuorumQueue,
  type RabbitMqEndpoint,
  rabbitVersion,
} from '../clients/rabbitmq-client.ts'
import { NODES } from '../contestant.ts'
import type { ServerGroup } from '../server-group.ts'
import { type PeerDriver, programOf } from './peer-driver.ts'

export interface RabbitMember {
  /** Erlang's name of the node. */
  readonly node: string
  readonly port: number
  readonly distributionPort: number
}

const QUEUE = 'troupe'

/**
 * Configuration file of a node that joins `first`. The first knows of nobody else: nodes that look for each other while
 * all of them begin may go on like that for a minute.
 */
export function rabbitConfiguration(member: RabbitMember, first: RabbitMember): string {
  const known = [...new Set([first.node, member.node])]
  return `${[
    `listeners.tcp.default = ${LOOPBACK}:${member.port}`,
    'cluster_formation.peer_discovery_backend = classic_config',
    ...known.map((node, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${node}`),
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

class RabbitNodes {
  readonly members: readonly [RabbitMember, ...RabbitMember[]]
  readonly #servers: ServerGroup
  readonly #mapperPort: number

  private constructor(servers: ServerGroup, mapperPort: number, members: RabbitNodes['members']) {
    this.#servers = servers
    this.#mapperPort = mapperPort
    this.members = members
  }

  /** The nodes know each other by one secret, and by a port mapper that is theirs alone. */
  static async prepare(servers: ServerGroup): Promise<RabbitNodes> {
    const [mapperPort, ...ports] = (await servers.ports(1 + 2 * NODES)) as [number, ...number[]]
    const members = Array.from({ length: NODES }, (_, index) => ({
      node: `troupe-${index + 1}@localhost`,
      port: ports[2 * index] as number,
      distributionPort: ports[2 * index + 1] as number,
    }))
    servers.file('.erlang.cookie', randomBytes(20).toString('hex'))
    servers.spawn('epmd', programOf('epmd'), ['-port', String(mapperPort), '-address', LOOPBACK])
    return new RabbitNodes(servers, mapperPort, members as [RabbitMember, ...RabbitMember[]])
  }

  /** Spawns some of the members and waits until they take connections; a joining node does so once it has joined. */
  async start(members: readonly RabbitMember[]): Promise<string> {
    const servers = this.#servers
    // The script itself: the one in the PATH is Debian's, which changes to another user first.
    const program = programOf('rabbitmq-server', '/usr/lib/rabbitmq/bin')
    for (const member of members) {
      const name = `rabbitmq-${this.members.indexOf(member) + 1}`
      const folder = servers.folder(name)
      servers.file(`${name}/rabbitmq.conf`, rabbitConfiguration(member, this.members[0]))
      servers.file(`${name}/enabled_plugins`, '[].\n')
      servers.spawn(name, program, [], rabbitEnvironment(member, folder, this.#mapperPort))
    }
    return servers.until('RabbitMQ takes connections', async () => {
      const endpoints = members.map(({ port }) => ({ host: LOOPBACK, port, queue: QUEUE }))
      const [version] = await Promise.all(endpoints.map(rabbitVersion))
      return version
    })
  }
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
    const nodes = await RabbitNodes.prepare(servers)
    const [first, ...others] = nodes.members
    const version = await nodes.start([first])
    await nodes.start(others)
    const endpoint: RabbitMqEndpoint = { host: LOOPBACK, port: first.port, queue: QUEUE }
    await servers.until('RabbitMQ has made the queue', async () => {
      await declareQuorumQueue(endpoint, NODES)
      // A node that has not found the others knows nothing of it.
      for (const { port } of nodes.members) await checkQueue({ ...endpoint, port })
      return true
    })
    return { version, endpoint }
  },
}
