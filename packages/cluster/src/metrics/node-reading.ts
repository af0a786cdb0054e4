/** What operators measure of a node: the counters of its parts, and times in histograms. Names that etcd has are etcd's. */
import { type ThreadUsage, utilizationBetween } from '@troupe/actor'
import type { NodeId } from '@troupe/core'
import type { NodeReading, NodeStatus } from '../node-control.ts'
import type { Labels, MetricFamily } from './exposition.ts'
import { Histogram, SECONDS_BUCKETS } from './histogram.ts'

/** What a node counts that no other part of it does. */
export class NodeRecorder {
  readonly #flushes = new Histogram(SECONDS_BUCKETS)
  #leader: NodeId | undefined
  #leaderChanges = 0
  #usage: ThreadUsage | undefined

  /** The store has flushed a batch. */
  readonly flushed = (ms: number): void => this.#flushes.observe(ms / 1000)

  /** The node follows somebody, or nobody. */
  follows(leader: NodeId | undefined): void {
    if (leader !== undefined && leader !== this.#leader) this.#leaderChanges++
    this.#leader = leader
  }

  /** @param roundTrips those that were measured, by peer */
  reading(status: NodeStatus, roundTrips: NodeReading['roundTrips'], newsIgnored: number): NodeReading {
    const { metrics: usage } = status
    const before = this.#usage ?? { eventLoopActiveMs: 0, eventLoopIdleMs: 0, threadCpuMs: 0 }
    this.#usage = usage
    const utilization = utilizationBetween(before, usage).eventLoop ?? 0
    const flushes = this.#flushes.reading()
    return { status, flushes, roundTrips, newsIgnored, leaderChanges: this.#leaderChanges, utilization }
  }
}

/** What a node that listens counts beside. */
export interface ListenerReading {
  readonly accepted: number
  readonly halfOpen: number
  readonly refusals: Readonly<Record<string, number>>
  readonly brokenLinks: number
}

/** The families of a node. */
export function nodeFamilies(reading: NodeReading, listener?: ListenerReading): MetricFamily[] {
  return [
    ...serverFamilies(reading),
    ...electionFamilies(reading),
    ...logFamilies(reading),
    ...diskFamilies(reading),
    ...networkFamilies(reading),
    ...(listener === undefined ? [] : listenerFamilies(listener)),
    ...threadFamilies(reading),
  ]
}

const NONE: Labels = {}

const counter = (name: string, help: string, value: number): MetricFamily => ({
  ...{ name, help, type: 'counter' },
  samples: [{ labels: NONE, value }],
})

const gauge = (name: string, help: string, value: number): MetricFamily => ({
  ...{ name, help, type: 'gauge' },
  samples: [{ labels: NONE, value }],
})

function serverFamilies({ status, leaderChanges }: NodeReading): MetricFamily[] {
  const { leader, role, term, commit, applied, lastIndex, metrics } = status
  return [
    gauge('server_has_leader', 'Whether a leader is known: 1, else 0.', leader === undefined ? 0 : 1),
    gauge('server_is_leader', 'Whether this node leads: 1, else 0.', role === 'leader' ? 1 : 0),
    counter('server_leader_changes_seen_total', 'Changes of the leader that were seen.', leaderChanges),
    gauge('server_term', 'The current term.', term),
    gauge('server_proposals_committed_total', 'Entries that are committed, of the whole log.', commit),
    gauge('server_proposals_applied_total', 'Entries that are applied, of the whole log.', applied),
    gauge('server_proposals_pending', 'Entries that are not committed yet.', lastIndex - commit),
    counter('server_proposals_failed_total', 'Frames of commands that were refused.', metrics.refusedFrames),
    counter('server_commands_applied_total', 'Commands that the machine was given.', metrics.commandsApplied),
    gauge('server_clients', 'Clients that are connected.', metrics.clients),
    gauge('server_sessions', 'Sessions of clients.', metrics.sessions),
    counter(
      'server_snapshots_installed_total',
      'Snapshots that came from peers.',
      metrics.snapshotsInstalled,
    ),
    counter(
      'server_entries_repaired_total',
      'Damaged entries that peers have replaced.',
      metrics.entriesRepaired,
    ),
  ]
}

function electionFamilies({ status: { metrics } }: NodeReading): MetricFamily[] {
  return [
    counter('server_term_changes_total', 'Times that the term was raised here.', metrics.termChanges),
    counter('server_elections_started_total', 'Elections that this node began.', metrics.elections),
    counter('server_elections_won_total', 'Elections that this node won.', metrics.leaderships),
    counter(
      'server_elections_split_total',
      'Elections of this node that ended with no leader: the votes were split, or too few came.',
      metrics.splitElections,
    ),
    counter('server_pre_elections_started_total', 'Rounds of pre-votes it asked for.', metrics.preElections),
    counter('server_stale_messages_total', 'Messages of an earlier term that came.', metrics.staleMessages),
    counter('server_persist_stalls_total', 'Times it gave up leading for its disk.', metrics.persistStalls),
  ]
}

/** Logs are compared across nodes by these: which is behind, and which had parted from its leader's. */
function logFamilies({ status: { lastIndex, metrics } }: NodeReading): MetricFamily[] {
  return [
    gauge('server_log_last_index', 'The last entry of the log, committed or not.', lastIndex),
    counter(
      'server_log_conflicts_total',
      "Times that the log had parted from its leader's.",
      metrics.logConflicts,
    ),
    counter(
      'server_log_entries_overwritten_total',
      'Entries that were removed because they conflicted: none of them was committed.',
      metrics.entriesOverwritten,
    ),
    gauge(
      'server_log_last_conflict_index',
      'Where the log had parted the last time; 0: never.',
      metrics.lastConflictIndex,
    ),
  ]
}

function diskFamilies({ status: { isDiskFull, metrics }, flushes }: NodeReading): MetricFamily[] {
  return [
    gauge('disk_is_full', 'Whether the disk refuses what is written: 1, else 0.', isDiskFull ? 1 : 0),
    {
      ...{ name: 'disk_backend_commit_duration_seconds', type: 'histogram' },
      help: 'Transactions of the log, from their begin to the end of their flush.',
      samples: [{ labels: NONE, reading: flushes }],
    },
    counter('disk_flushes_total', 'Flushes of the log.', metrics.flushes),
    counter('disk_flushed_bytes_total', 'Bytes of entries that were flushed.', metrics.bytesFlushed),
  ]
}

function networkFamilies({
  status: { metrics, view, id },
  roundTrips,
  newsIgnored,
}: NodeReading): MetricFamily[] {
  const others = view.filter((member) => member.id !== id)
  return [
    {
      ...{ name: 'network_peer_round_trip_time_seconds', type: 'histogram' },
      help: 'A word to a peer and back, without turns and disks.',
      samples: roundTrips.map(([peer, reading]) => ({ labels: { To: peer }, reading })),
    },
    {
      ...{ name: 'network_suspected_peers', type: 'gauge' },
      help: 'Whether the peer is suspected to be dead or cut off: 1, else 0.',
      samples: others.map((member) => ({
        labels: { To: member.id },
        value: member.suspicion === null ? 0 : 1,
      })),
    },
    counter('network_peer_sent_bytes_total', 'Bytes that were sent to peers.', metrics.bytesSent),
    counter('network_peer_received_bytes_total', 'Bytes that came from peers.', metrics.bytesReceived),
    counter('network_peer_dropped_frames_total', 'Frames that no link took.', metrics.framesDropped),
    counter('network_peer_ignored_news_total', 'News of peers that made no sense.', newsIgnored),
  ]
}

function listenerFamilies({ accepted, halfOpen, refusals, brokenLinks }: ListenerReading): MetricFamily[] {
  return [
    counter('network_accepted_connections_total', 'Connections that came to the port.', accepted),
    counter('network_peer_broken_links_total', 'Links to peers that this end has given up.', brokenLinks),
    gauge('network_half_open_connections', 'Connections without a finished handshake.', halfOpen),
    {
      ...{ name: 'network_refused_connections_total', type: 'counter' },
      help: 'Connections that were refused or broken off, by reason.',
      samples: Object.entries(refusals).map(([reason, value]) => ({ labels: { reason }, value })),
    },
  ]
}

function threadFamilies({ status: { metrics }, utilization }: NodeReading): MetricFamily[] {
  const { eventLoopActiveMs, eventLoopIdleMs, longestTurnMs } = metrics
  return [
    gauge('mailbox_depth', 'What waits in the mailbox.', metrics.mailboxDepth),
    gauge('mailbox_greatest_depth', 'The most that has waited there.', metrics.mailboxGreatestDepth),
    counter('mailbox_turns_total', 'Turns of the node.', metrics.turns),
    gauge('mailbox_longest_turn_seconds', 'The longest turn.', longestTurnMs / 1000),
    gauge('event_loop_utilization', 'Share of the time since it was last asked, 0 to 1.', utilization),
    counter('event_loop_active_seconds_total', 'Time that it was busy.', eventLoopActiveMs / 1000),
    counter('event_loop_idle_seconds_total', 'Time that it waited.', eventLoopIdleMs / 1000),
    gauge('heap_used_bytes', 'Memory of its objects.', metrics.heapUsedBytes),
    gauge('external_bytes', 'Memory that its objects hold elsewhere.', metrics.externalBytes),
  ]
}
