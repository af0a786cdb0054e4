import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

export const LOOPBACK = '127.0.0.1'

/**
 * So many different ports of the loopback interface that nobody listens on. All are held until the last is found, so none
 * is given twice; between then and a server's start another process might still take one.
 */
export async function freePorts(count: number): Promise<number[]> {
  const listeners = Array.from({ length: count }, () => createServer().listen(0, LOOPBACK))
  try {
    await Promise.all(listeners.map((listener) => once(listener, 'listening')))
    return listeners.map((listener) => (listener.address() as AddressInfo).port)
  } finally {
    await Promise.all(listeners.map((listener) => new Promise((resolve) => listener.close(resolve))))
  }
}
