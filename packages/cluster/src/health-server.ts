/** /livez, /readyz and /metrics of a node, over HTTP on a port of their own. They tell, and change nothing. */
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { invalidOption } from '@troupe/core'
import { type Address, formatAddress, resolveHost } from '@troupe/transport'
import type { NodeStatus } from './node-control.ts'

/** A node, as it is watched. */
export interface WatchedNode {
  status(): Promise<NodeStatus>
  /** Changes of whom it follows, that it has seen. */
  readonly leaderChanges: number
  /** Connections that were refused, by reason. */
  readonly refusals: Readonly<Record<string, number>>
}

export class HealthServer {
  readonly #server: Server

  /** @throws RaftError INVALID_OPTIONS for an address that is taken, not this host's or not known */
  static async open(listen: Address, node: WatchedNode): Promise<HealthServer> {
    const host = await resolveHost(listen.host, 'health')
    const server = createServer({ requestTimeout: 5000 }, (request, response) => {
      void answer(request.url ?? '', response, node)
    })
    server.listen({ host, port: listen.port })
    try {
      await once(server, 'listening')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw invalidOption('health', formatAddress(listen), `an address of this host that is free (${code})`)
    }
    return new HealthServer(server)
  }

  private constructor(server: Server) {
    this.#server = server
  }

  get address(): Address {
    const { address: host, port } = this.#server.address() as AddressInfo
    return { host, port }
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}

async function answer(url: string, response: ServerResponse, node: WatchedNode): Promise<void> {
  const [path] = url.split('?', 1)
  // Answered by the thread that the node runs on: where that stands still, so does this.
  if (path === '/livez') return say(response, 200, 'ok\n')
  if (path !== '/readyz' && path !== '/metrics') return say(response, 404, '/livez, /readyz, /metrics\n')
  const status = await node.status()
  if (path === '/metrics') return say(response, 200, metricsText(status, node))
  const reason = unreadiness(status)
  say(response, reason === undefined ? 200 : 503, `${reason ?? 'ok'}\n`)
}

function say(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text)
}

function unreadiness({ leader, damaged, isDiskFull }: NodeStatus): string | undefined {
  if (leader === undefined) return 'no leader is known'
  if (damaged.length > 0) return 'its log is being repaired'
  return isDiskFull ? 'its disk is full' : undefined
}

/** In the text format of Prometheus; the names that etcd has are etcd's, under `troupe_`. */
export function metricsText(
  status: NodeStatus,
  { leaderChanges, refusals }: Omit<WatchedNode, 'status'>,
): string {
  const { metrics } = status
  const lines: string[] = []
  const tell = (type: 'gauge' | 'counter', name: string, value: number): void => {
    lines.push(`# TYPE troupe_${name} ${type}`, `troupe_${name} ${value}`)
  }
  tell('gauge', 'server_has_leader', status.leader === undefined ? 0 : 1)
  tell('gauge', 'server_is_leader', status.role === 'leader' ? 1 : 0)
  tell('counter', 'server_leader_changes_seen_total', leaderChanges)
  tell('gauge', 'server_term', status.term)
  tell('gauge', 'server_proposals_committed_total', status.commit)
  tell('gauge', 'server_proposals_applied_total', status.applied)
  tell('gauge', 'server_proposals_pending', status.lastIndex - status.commit)
  tell('counter', 'server_commands_applied_total', metrics.commandsApplied)
  tell('gauge', 'server_clients', metrics.clients)
  tell('gauge', 'disk_is_full', status.isDiskFull ? 1 : 0)
  tell('counter', 'disk_flushes_total', metrics.flushes)
  tell('counter', 'disk_flushed_bytes_total', metrics.bytesFlushed)
  tell('counter', 'network_peer_sent_bytes_total', metrics.bytesSent)
  tell('counter', 'network_peer_received_bytes_total', metrics.bytesReceived)
  tell('counter', 'network_peer_dropped_frames_total', metrics.framesDropped)
  tell('gauge', 'mailbox_depth', metrics.mailboxDepth)
  tell('counter', 'event_loop_active_seconds_total', metrics.eventLoopActiveMs / 1000)
  tell('counter', 'event_loop_idle_seconds_total', metrics.eventLoopIdleMs / 1000)
  lines.push('# TYPE troupe_network_refused_connections_total counter')
  for (const [reason, count] of Object.entries(refusals))
    lines.push(`troupe_network_refused_connections_total{reason="${reason}"} ${count}`)
  return `${lines.join('\n')}\n`
}
