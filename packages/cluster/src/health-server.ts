/** /livez, /readyz and /metrics of a node, over HTTP on a port of their own. They tell, and change nothing. */
import { once } from 'node:events'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { invalidOption } from '@troupe/core'
import { type Address, formatAddress, isLoopback, resolveHost } from '@troupe/transport'
import type { NodeStatus } from './node-control.ts'

/** A node, as it is watched. */
export interface WatchedNode {
  status(): Promise<NodeStatus>
  /** Whether it was told to stop: nobody shall begin anything with it. */
  readonly isStopping: boolean
  /** Its measures in the text format of Prometheus. */
  metrics(): Promise<string>
}

/** Whoever asks, asks little and soon: others are found out within a few seconds. */
const LIMITS = {
  requestTimeout: 5000,
  headersTimeout: 5000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8192,
}
const MAX_CONNECTIONS = 64

export class HealthServer {
  readonly #server: Server

  /**
   * @param insecure whether others than this host may read: HTTP is not encrypted, and nobody is asked who he is
   * @throws RaftError INVALID_OPTIONS for an address that is taken, not this host's, not known, or beyond the loopback
   */
  static async open(listen: Address, node: WatchedNode, insecure = false): Promise<HealthServer> {
    const host = await resolveHost(listen.host, 'health')
    if (!insecure && !isLoopback(host))
      throw invalidOption('health', formatAddress(listen), 'a loopback address, or insecure: true')
    // Its module loads half of the web's with it: not for everybody who does not listen.
    const { createServer } = await import('node:http')
    const server = createServer(LIMITS, (request, response) => {
      void answer(request.url ?? '', response, node)
    })
    server.maxConnections = MAX_CONNECTIONS
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
  if (path === '/metrics') return say(response, 200, await node.metrics())
  const reason = node.isStopping ? 'it is stopping' : unreadiness(await node.status())
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
