/** Ports of the loopback for nodes that are processes. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { invalidOption } from '@troupe/core/errors'

export const LOOPBACK = '127.0.0.1'

/**
 * So many ports that were free a moment ago, all different.
 * @param first they are this one and those that follow it
 * @throws RaftError INVALID_OPTIONS where one of them is taken
 */
export async function freePorts(count: number, first?: number): Promise<readonly number[]> {
  const wanted = Array.from({ length: count }, (_, index) => (first === undefined ? 0 : first + index))
  const servers = wanted.map((port) => createServer().listen({ host: LOOPBACK, port }))
  try {
    const ports: number[] = []
    const listening = servers.map((server) => once(server, 'listening'))
    for (const [index, heard] of (await Promise.allSettled(listening)).entries()) {
      if (heard.status === 'rejected') {
        const { code } = heard.reason as NodeJS.ErrnoException
        throw invalidOption('--port', first, `${count} free ports from there on (${wanted[index]}: ${code})`)
      }
      ports.push(((servers[index] as (typeof servers)[number]).address() as { port: number }).port)
    }
    return ports
  } finally {
    await Promise.all(servers.map((server) => (server.listening ? once(server.close(), 'close') : undefined)))
  }
}
