import { NODES } from '../contestant.ts'
import { LiferaftCluster } from '../liferaft/liferaft-cluster.ts'
import { LIFERAFT } from '../liferaft/liferaft-protocol.ts'
import { libraryVersion } from '../programs.ts'
import type { PeerDriver } from './peer-driver.ts'

export const liferaft: PeerDriver = {
  facts: {
    name: 'liferaft',
    title: LIFERAFT,
    transport: 'threads, in process',
    isDurable: false,
    acknowledgement: 'not durable: a quorum has written it to LevelDB, which has not synced it',
    configuration:
      'LevelDB log, timeouts of its example; ports between worker threads; commands one after the other, and heartbeats that would take an entry out again dropped: without both it loses entries',
    recommendation: 'none given',
  },
  needs: { programs: [], libraries: [LIFERAFT] },
  startMs: 6000,
  start: async (servers, bench) => {
    const ids = Array.from({ length: NODES }, (_, index) => `liferaft-${index + 1}`)
    const cluster = new LiferaftCluster(ids, servers.directory)
    bench.onEnd(() => cluster.stop())
    const endpoint = await bench.or(cluster.start())
    const transferList = endpoint.nodes.map(({ port }) => port)
    return { version: libraryVersion(LIFERAFT), endpoint, transferList }
  },
}
