import { execFileSync } from 'node:child_process'
import { LOOPBACK } from '../../engine/free-ports.ts'
import type { JetStreams, Nats, StreamInfo } from '../clients/jetstream-client.ts'
import { NODES } from '../contestant.ts'
import { loadLibrary } from '../programs.ts'
import type { ServerGroup } from '../server-group.ts'
import { type PeerDriver, programOf } from './peer-driver.ts'

export interface NatsMember {
  readonly name: string
  readonly clientPort: number
  readonly routePort: number
}

const STREAM = 'TROUPE'
const SUBJECT = 'troupe'

/** Configuration file of one of `members`. */
export function natsConfiguration(
  member: NatsMember,
  members: readonly NatsMember[],
  directory: string,
): string {
  const routes = members.map(({ routePort }) => `nats://${LOOPBACK}:${routePort}`)
  return `${[
    `server_name: ${JSON.stringify(member.name)}`,
    `listen: "${LOOPBACK}:${member.clientPort}"`,
    `jetstream { store_dir: ${JSON.stringify(directory)} }`,
    'cluster {',
    '  name: "troupe"',
    `  listen: "${LOOPBACK}:${member.routePort}"`,
    `  routes: ${JSON.stringify(routes)}`,
    '}',
  ].join('\n')}\n`
}

/** Makes the stream; where its leader is, once all replicas are current. */
async function makeStream(servers: ServerGroup, members: readonly NatsMember[]): Promise<string> {
  const { connect } = loadLibrary<Nats>('@nats-io/transport-node')
  const { jetstreamManager } = loadLibrary<JetStreams>('@nats-io/jetstream')
  const [first] = members as [NatsMember]
  const connection = await servers.until('NATS takes connections', () =>
    connect({ servers: `${LOOPBACK}:${first.clientPort}`, reconnect: false }),
  )
  try {
    const { streams } = await servers.until('JetStream is ready', () => jetstreamManager(connection))
    const config = { name: STREAM, subjects: [SUBJECT], storage: 'file', num_replicas: NODES }
    await servers.until('JetStream has made the stream', () => streams.add(config))
    return await servers.until('all replicas of the stream are current', async () =>
      leaderOf(await streams.info(STREAM)),
    )
  } finally {
    await connection.close()
  }
}

/** The stream's leader, where its followers are current. */
export function leaderOf({ cluster }: StreamInfo): string | undefined {
  const { leader, replicas = [] } = cluster ?? {}
  const isCurrent = replicas.length === NODES - 1 && replicas.every(({ current }) => current)
  return leader === undefined || leader === '' || !isCurrent ? undefined : leader
}

export const jetstream: PeerDriver = {
  facts: {
    name: 'jetstream',
    title: 'NATS JetStream',
    transport: 'TCP, loopback',
    isDurable: false,
    acknowledgement: 'not durable: a quorum has written it to files that are synced every 2 minutes',
    configuration: 'stream with 3 replicas on file storage, defaults; one connection to its leader',
    recommendation:
      '3 replicas on file storage; sync_interval 2 minutes by default, `always` costs throughput',
  },
  needs: {
    programs: ['nats-server'],
    debianPackage: 'nats-server',
    libraries: ['@nats-io/transport-node', '@nats-io/jetstream'],
  },
  startMs: 5000,
  start: async (servers) => {
    const program = programOf('nats-server')
    const ports = await servers.ports(2 * NODES)
    const members = Array.from({ length: NODES }, (_, index) => ({
      name: `nats-${index + 1}`,
      clientPort: ports[2 * index] as number,
      routePort: ports[2 * index + 1] as number,
    }))
    for (const member of members) {
      const configuration = natsConfiguration(member, members, servers.folder(member.name))
      servers.spawn(member.name, program, ['-c', servers.file(`${member.name}.conf`, configuration)])
    }
    const leader = await makeStream(servers, members)
    const port = members.find(({ name }) => name === leader)?.clientPort
    const version = execFileSync(program, ['--version'], { encoding: 'utf8' })
    return {
      version: version.replace(/^nats-server: v/, '').trim(),
      endpoint: { address: `${LOOPBACK}:${port}`, stream: STREAM, subject: SUBJECT },
    }
  },
}
