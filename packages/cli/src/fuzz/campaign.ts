/**
 * A campaign of streams against a cluster that goes on working.
 *
 *     Dice ─► fuzzStream ─► attack, so many at once, slow ones beside them ─► what came of it, by kind
 *     SteadyWriter writes all the while; memory is looked at; at the end the nodes' own counts are compared with what was sent
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { TlsFiles } from '@troupe/transport'
import { type Attacked, attack } from './attack.ts'
import { Dice } from './dice.ts'
import { CLUSTER, type Figures, type FuzzCluster, type FuzzedNode } from './fuzz-cluster.ts'
import { MemoryWatch, type NodeMemory } from './memory-watch.ts'
import { SteadyWriter, type WriterReport } from './steady-writer.ts'
import { type FuzzStream, fuzzStream, isSlow } from './streams.ts'

export interface CampaignOptions {
  readonly streams: number
  readonly concurrency: number
  readonly seed: number
  readonly signal: AbortSignal
  readonly onProgress: (done: number) => void
}

/** What came of the streams of one kind. */
export interface KindCount {
  streams: number
  welcomed: number
  refused: number
}

/** A node's own account of what came to its port, and what was sent there. */
export interface NodeCount {
  readonly id: string
  /** Connections that the campaign has opened to its port, and those of them that were welcomed. */
  readonly sent: number
  readonly welcomed: number
  /** As the node counts: all that came, also its peers and the writer. */
  readonly accepted: number
  readonly refusals: Readonly<Record<string, number>>
  readonly refused: number
  readonly leaderChanges: number
}

export interface CampaignReport {
  readonly seed: number
  readonly streams: number
  readonly connections: number
  readonly welcomed: number
  readonly hung: number
  readonly unopened: number
  readonly seconds: number
  readonly kinds: Readonly<Record<string, KindCount>>
  readonly nodes: readonly NodeCount[]
  readonly memory: readonly NodeMemory[]
  readonly writer: WriterReport
  /** What must not be, in words; empty where all is well. */
  readonly faults: readonly string[]
}

/** Slow streams that are under way at once: below what a listener takes of half-open ones from one address. */
const MOST_SLOW = 24
const SETTLE_MS = 4000
const STALLED_MS = 60_000
/** With TLS one in so many streams is sent as it is, to a port that expects TLS. */
const PLAIN_ONE_OF = 4

export async function runCampaign(cluster: FuzzCluster, options: CampaignOptions): Promise<CampaignReport> {
  const writer = await SteadyWriter.start(cluster.seeds, cluster.tls)
  const watch = new MemoryWatch(cluster)
  const campaign = new Campaign(cluster, writer, watch, options)
  try {
    await campaign.attackAll()
  } finally {
    watch.stop()
  }
  // Connections of slow ones that were given up are found out by the nodes meanwhile.
  await sleep(SETTLE_MS, undefined, { signal: options.signal }).catch(() => {})
  watch.look(1)
  return campaign.report(await writer.finish())
}

class Campaign {
  readonly #cluster: FuzzCluster
  readonly #writer: SteadyWriter
  readonly #watch: MemoryWatch
  readonly #options: CampaignOptions
  readonly #dice: Dice
  readonly #secureContext: SecureContext | undefined
  readonly #slow = new Set<Promise<void>>()
  readonly #kinds: Record<string, KindCount> = {}
  readonly #sent = new Map<string, { sent: number; welcomed: number }>()
  readonly #beganMs = performance.now()
  readonly #totals = { connections: 0, welcomed: 0, hung: 0, unopened: 0 }
  #begun = 0
  #done = 0

  constructor(cluster: FuzzCluster, writer: SteadyWriter, watch: MemoryWatch, options: CampaignOptions) {
    this.#cluster = cluster
    this.#writer = writer
    this.#watch = watch
    this.#options = options
    this.#dice = new Dice(options.seed)
    this.#secureContext = cluster.tls && contextOf(cluster.tls)
    for (const { id } of cluster.nodes) this.#sent.set(id, { sent: 0, welcomed: 0 })
  }

  async attackAll(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.concurrency }, () => this.#attacker()))
    await Promise.all(this.#slow)
  }

  async #attacker(): Promise<void> {
    while (this.#begun < this.#options.streams && this.#isWorth) {
      this.#begun++
      const node = this.#dice.of(this.#cluster.nodes)
      const stream = fuzzStream(this.#dice, { cluster: CLUSTER, node: node.id })
      if (!isSlow(stream)) await this.#run(node, stream)
      else await this.#runSlow(node, stream)
    }
  }

  /** Whether there is somebody left to attack. */
  get #isWorth(): boolean {
    const { signal } = this.#options
    return !signal.aborted && this.#cluster.dead.length === 0 && this.#writer.silentMs < STALLED_MS
  }

  async #runSlow(node: FuzzedNode, stream: FuzzStream): Promise<void> {
    while (this.#slow.size >= MOST_SLOW) await Promise.race(this.#slow)
    const run = this.#run(node, stream).finally(() => this.#slow.delete(run))
    this.#slow.add(run)
  }

  async #run(node: FuzzedNode, stream: FuzzStream): Promise<void> {
    const isHealth = stream.door === 'health'
    const within = isHealth || this.#isPlain() ? undefined : this.#secureContext
    const port = isHealth ? node.healthPort : node.port
    const attacked = await attack(stream, port, this.#options.signal, within)
    const kind =
      this.#secureContext === undefined || isHealth || within ? stream.kind : `plain: ${stream.kind}`
    this.#count(node, { ...stream, kind }, attacked)
    this.#done++
    this.#watch.progress = this.#done / this.#options.streams
    this.#options.onProgress(this.#done)
  }

  /** The dice of streams without TLS roll as they always have. */
  #isPlain(): boolean {
    return this.#secureContext === undefined || this.#dice.roll(PLAIN_ONE_OF) === 0
  }

  #count(node: FuzzedNode, { kind, door }: FuzzStream, attacked: Attacked): void {
    const { connections, welcomed, refused, unopened, isHung } = attacked
    const ofKind = this.#kinds[kind] ?? { streams: 0, welcomed: 0, refused: 0 }
    this.#kinds[kind] = ofKind
    ofKind.streams++
    ofKind.refused += refused
    if (welcomed > 0) ofKind.welcomed++
    this.#totals.connections += connections
    if (welcomed > 0) this.#totals.welcomed++
    this.#totals.unopened += unopened
    if (isHung) this.#totals.hung++
    const ofNode = this.#sent.get(node.id)
    if (door === 'health' || ofNode === undefined) return
    ofNode.sent += connections - unopened
    ofNode.welcomed += welcomed
  }

  async report(writer: WriterReport): Promise<CampaignReport> {
    const nodes = await Promise.all(this.#cluster.nodes.map((node) => this.#nodeCount(node)))
    const { memory } = this.#watch
    const seconds = (performance.now() - this.#beganMs) / 1000
    const counts = { seed: this.#options.seed, streams: this.#done, ...this.#totals, seconds }
    const report = { ...counts, kinds: this.#kinds, nodes, memory, writer }
    return { ...report, faults: this.#faults(report) }
  }

  async #nodeCount(node: FuzzedNode): Promise<NodeCount> {
    const { sent = 0, welcomed = 0 } = this.#sent.get(node.id) ?? {}
    const isDead = this.#cluster.dead.includes(node)
    const figures: Figures = isDead ? new Map() : await this.#cluster.figures(node)
    const refusals: Record<string, number> = {}
    for (const [name, value] of figures) {
      const reason = /refused_connections_total\{reason="(.*)"\}$/.exec(name)?.[1]
      if (reason !== undefined && value > 0) refusals[reason] = value
    }
    return {
      ...{ id: node.id, sent, welcomed, refusals },
      accepted: figures.get('troupe_network_accepted_connections_total') ?? 0,
      refused: Object.values(refusals).reduce((sum, count) => sum + count, 0),
      leaderChanges: figures.get('troupe_server_leader_changes_seen_total') ?? 0,
    }
  }

  #faults(report: Omit<CampaignReport, 'faults'>): string[] {
    const { nodes, memory, writer, hung } = report
    const dead = this.#cluster.dead.map(
      ({ id, said }) => `${id} has ended: ${said.at(-1) ?? 'without a word'}`,
    )
    const faults = [...dead]
    if (writer.failed > 0) faults.push(`${writer.failed} keys could not be written to the end`)
    if (writer.wrong > 0) faults.push(`${writer.wrong} keys are not as they were acknowledged`)
    if (writer.acknowledged === 0) faults.push('nothing was acknowledged')
    if (hung > 0) faults.push(`${hung} connections were never closed`)
    for (const { id, grownBytes, allowedBytes } of memory)
      if (grownBytes > allowedBytes) faults.push(`${id} has grown by ${grownBytes} bytes`)
    // What was broken off nobody has counted to the end.
    if (dead.length > 0 || this.#options.signal.aborted) return faults
    for (const { id, sent, welcomed, accepted, refused } of nodes) {
      if (accepted < sent) faults.push(`${id} has counted ${accepted} connections of ${sent}`)
      // A welcomed one may end anywhere, which is no offence; and its peers and the writer may have been refused too.
      const others = accepted - sent
      if (refused < sent - welcomed || refused > sent + others)
        faults.push(`${id} has refused ${refused} of ${sent}, and welcomed ${welcomed}`)
    }
    return faults
  }
}

function contextOf({ certificate, key, authority }: TlsFiles): SecureContext {
  return createSecureContext({
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ca: readFileSync(authority),
    minVersion: 'TLSv1.3',
  })
}
