/** A peer as a contestant: its servers as processes beside us, its client in a thread of its own. */
import type { Bench } from '../bench.ts'
import type { ClosedLoopSpec } from '../load/closed-loop.ts'
import { speedOf } from '../throughput/throughput-run.ts'
import type { Contestant, ContestRun, ContestSettings, Running } from './contestant.ts'
import { PeerClient } from './peer-client.ts'
import { missingOf } from './programs.ts'
import { RateMeter } from './rate-meter.ts'
import { ServerGroup } from './server-group.ts'
import { etcd } from './servers/etcd.ts'
import { jetstream } from './servers/jetstream.ts'
import { liferaft } from './servers/liferaft.ts'
import type { PeerDriver } from './servers/peer-driver.ts'
import { rabbitmq } from './servers/rabbitmq.ts'
import { redis } from './servers/redis.ts'

/** In the order of the table. */
export const peers: readonly Contestant[] = [etcd, rabbitmq, jetstream, redis, liferaft].map(contestantOf)

function contestantOf(driver: PeerDriver): Contestant {
  const { facts, needs, startMs } = driver
  return {
    facts,
    startMs,
    missing: () => missingOf(needs),
    start: (bench, settings) => startPeer(driver, bench, settings),
  }
}

async function startPeer(driver: PeerDriver, bench: Bench, { workload }: ContestSettings): Promise<Running> {
  const { name } = driver.facts
  const servers = new ServerGroup(bench, name)
  const { version, endpoint, transferList } = await driver.start(servers, bench)
  const connecting = PeerClient.connect({ peer: name, endpoint, workload }, transferList)
  bench.onEnd(() => connecting.then((client) => client.close()).catch(() => {}))
  const client = await bench.or(connecting)
  return {
    version,
    run: (spec) => runPeer(bench, servers, client, spec),
  }
}

async function runPeer(
  bench: Bench,
  servers: ServerGroup,
  client: PeerClient,
  spec: ClosedLoopSpec,
): Promise<ContestRun> {
  const meter = new RateMeter()
  client.onProgress = (acknowledged) => bench.progress.note(meter.note(acknowledged))
  try {
    const result = await bench.or(client.run(spec))
    const { commands, lost, duplicated, unknown, refused, clientUtilisation } = result
    const counts = { commands, lost, duplicated, reordered: null, unknown, refused }
    return { ...speedOf(result), ...counts, clientUtilisation }
  } finally {
    client.onProgress = undefined
    servers.throwIfExited()
  }
}
