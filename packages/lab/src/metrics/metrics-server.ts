import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { invalidOption } from '@troupe/core'
import type { RunMetrics } from './run-metrics.ts'

/** Whoever asks, asks little and soon. */
const LIMITS = { requestTimeout: 5000, headersTimeout: 5000, keepAliveTimeout: 5000, maxHeaderSize: 8192 }
const MAX_CONNECTIONS = 16

/** Serves /metrics while a suite goes on. It tells, and changes nothing. */
export class MetricsServer {
  readonly #server: Server

  /** @throws RaftError INVALID_OPTIONS for an address that is taken, or not this host's */
  static async open(host: string, port: number, metrics: RunMetrics): Promise<MetricsServer> {
    const { createServer } = await import('node:http')
    const server = createServer(LIMITS, ({ url = '' }, response) => {
      const [path] = url.split('?', 1)
      const isThere = path === '/metrics'
      response.writeHead(isThere ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      response.end(isThere ? metrics.text : '/metrics\n')
    })
    server.maxConnections = MAX_CONNECTIONS
    server.listen({ host, port })
    try {
      await once(server, 'listening')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      throw invalidOption('--metrics', `${host}:${port}`, `an address of this host that is free (${code})`)
    }
    // Nobody who only measures keeps a run from ending.
    server.unref()
    return new MetricsServer(server)
  }

  private constructor(server: Server) {
    this.#server = server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}
