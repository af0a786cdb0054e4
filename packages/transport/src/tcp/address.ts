import { lookup } from 'node:dns/promises'
import { BlockList, isIPv6 } from 'node:net'
import { invalidOption } from '@troupe/core'

/** Where somebody listens. */
export interface Address {
  /** A name or an IP address. */
  readonly host: string
  /** 0, for whoever listens: any free one. */
  readonly port: number
}

const MAX_PORT = 65_535

/**
 * Reads `host:port`, `[::1]:port`, or `:port` and `port` on the loopback.
 * @param field the option it comes from, for the error
 * @throws RaftError INVALID_OPTIONS
 */
export function parseAddress(text: string, field = 'address'): Address {
  const match = /^(?:(?:\[([^[\]]+)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(text.trim())
  const port = Number(match?.[3])
  if (match === null || port > MAX_PORT) {
    throw invalidOption(field, text, 'host:port, with IPv6 addresses in brackets')
  }
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port }
}

/** As `parseAddress` reads it. */
export function formatAddress({ host, port }: Address): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Whether only processes of this host reach that IP address. */
export function isLoopback(ip: string): boolean {
  return loopback.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4')
}

/**
 * The IP address to listen on.
 * @param find asks for the address of a name
 * @throws RaftError INVALID_OPTIONS where the name is not known
 */
export async function resolveHost(
  host: string,
  field: string,
  find: (host: string) => Promise<{ address: string }> = lookup,
): Promise<string> {
  try {
    return (await find(host)).address
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw invalidOption(field, host, `a host that has an address (${code})`)
  }
}
