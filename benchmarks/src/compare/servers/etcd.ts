import { LOOPBACK } from '../../engine/free-ports.ts'
import { NODES } from '../contestant.ts'
import { type PeerDriver, programOf } from './peer-driver.ts'

interface Status {
  readonly version: string
  readonly leader: string
  readonly header: { readonly member_id: string }
}

export interface EtcdMember {
  readonly name: string
  readonly clientPort: number
  readonly peerPort: number
}

/** The largest backend that etcd recommends: with the default of 2 GiB a long run would end in an alarm. */
const QUOTA_BYTES = 8 * 1024 ** 3

const url = (port: number): string => `http://${LOOPBACK}:${port}`

/** Command line of one of `members`. */
export function etcdArguments(
  member: EtcdMember,
  members: readonly EtcdMember[],
  directory: string,
): string[] {
  const flags = {
    name: member.name,
    'data-dir': directory,
    'listen-client-urls': url(member.clientPort),
    'advertise-client-urls': url(member.clientPort),
    'listen-peer-urls': url(member.peerPort),
    'initial-advertise-peer-urls': url(member.peerPort),
    'initial-cluster': members.map(({ name, peerPort }) => `${name}=${url(peerPort)}`).join(','),
    'initial-cluster-state': 'new',
    'quota-backend-bytes': String(QUOTA_BYTES),
    logger: 'zap',
    'log-level': 'warn',
  }
  return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
}

async function statusOf(port: number): Promise<Status> {
  const response = await fetch(`${url(port)}/v3/maintenance/status`, { method: 'POST', body: '{}' })
  return (await response.json()) as Status
}

export const etcd: PeerDriver = {
  facts: {
    name: 'etcd',
    title: 'etcd',
    transport: 'TCP, loopback',
    isDurable: true,
    acknowledgement: 'durable: a quorum has synced it to its write-ahead log, and the leader has applied it',
    configuration:
      'defaults, quota 8 GiB; puts over gRPC (written on HTTP/2 of Node) on one connection to the leader',
    recommendation:
      'SSD with a sync below 10 ms (p99); quota of at most 8 GiB; default timeouts in one data centre',
  },
  needs: { programs: ['etcd'], debianPackage: 'etcd-server', libraries: [] },
  startMs: 3000,
  start: async (servers) => {
    const ports = await servers.ports(2 * NODES)
    const members = Array.from({ length: NODES }, (_, index) => ({
      name: `etcd-${index + 1}`,
      clientPort: ports[2 * index] as number,
      peerPort: ports[2 * index + 1] as number,
    }))
    const program = programOf('etcd')
    for (const member of members) {
      servers.spawn(member.name, program, etcdArguments(member, members, servers.folder(member.name)))
    }
    return servers.until('etcd has a leader', async () => {
      const all = await Promise.all(members.map(({ clientPort }) => statusOf(clientPort)))
      const leader = all.findIndex(({ header, leader: id }) => header.member_id === id)
      const member = members[leader]
      const isAgreed = all.every(({ leader: id }) => id === all[leader]?.leader)
      if (member === undefined || !isAgreed) return undefined
      return {
        version: all[leader]?.version ?? 'unknown',
        endpoint: { address: `${LOOPBACK}:${member.clientPort}` },
      }
    })
  },
}
