import { execFileSync } from 'node:child_process'
import { LOOPBACK } from '../../engine/free-ports.ts'
import { REDIS_CONNECTIONS, type RedisEndpoint, replicasOnline } from '../clients/redis-client.ts'
import { NODES } from '../contestant.ts'
import { type PeerDriver, programOf } from './peer-driver.ts'

const STREAM = 'troupe'
/** With the primary a quorum. */
const REPLICAS_TO_WAIT_FOR = 1

/** Configuration file of the primary, or of a replica of `primaryPort`. */
export function redisConfiguration(port: number, directory: string, primaryPort?: number): string {
  return `${[
    `bind ${LOOPBACK}`,
    `port ${port}`,
    `dir ${JSON.stringify(directory)}`,
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'repl-diskless-sync-delay 0',
    ...(primaryPort === undefined ? [] : [`replicaof ${LOOPBACK} ${primaryPort}`]),
  ].join('\n')}\n`
}

export const redis: PeerDriver = {
  facts: {
    name: 'redis',
    title: 'Redis streams, WAIT 1',
    transport: 'TCP, loopback',
    isDurable: false,
    acknowledgement: 'not durable: primary and a replica have it in memory; files are synced once a second',
    configuration: `XADD with WAIT ${REPLICAS_TO_WAIT_FOR} for the commands of a turn, ${REDIS_CONNECTIONS} connections; append-only file, appendfsync everysec`,
    recommendation: 'append-only file with appendfsync everysec; WAIT is no strong consistency',
  },
  needs: { programs: ['redis-server'], debianPackage: 'redis-server', libraries: ['ioredis'] },
  startMs: 2000,
  start: async (servers) => {
    const program = programOf('redis-server')
    const ports = (await servers.ports(NODES)) as [number, ...number[]]
    const [primaryPort] = ports
    for (const [index, port] of ports.entries()) {
      const name = `redis-${index + 1}`
      const primary = index === 0 ? undefined : primaryPort
      const configuration = redisConfiguration(port, servers.folder(name), primary)
      servers.spawn(name, program, [servers.file(`${name}.conf`, configuration)])
    }
    const endpoint: RedisEndpoint = {
      host: LOOPBACK,
      port: primaryPort,
      stream: STREAM,
      replicas: REPLICAS_TO_WAIT_FOR,
    }
    await servers.until(
      'both replicas of Redis are online',
      async () => (await replicasOnline(endpoint)) === NODES - 1,
    )
    const text = execFileSync(program, ['--version'], { encoding: 'utf8' })
    return { version: /v=(\S+)/.exec(text)?.[1] ?? 'unknown', endpoint }
  },
}
