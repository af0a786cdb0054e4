/** Another host, as far as this machine can be one: a network namespace, or else another address of the loopback. */
import { execFileSync } from 'node:child_process'

export interface AnotherHost {
  /** Where the nodes of this host are reached from there. */
  readonly near: string
  /** Its own address. */
  readonly far: string
  /** What a command begins with that runs there. */
  readonly command: readonly string[]
  close(): void
}

/** The whole of 127/8 is this host's on Linux. */
export const loopbackHost: AnotherHost = {
  near: '127.0.0.1',
  far: '127.0.0.2',
  command: [],
  close: () => {},
}

const ip = (...args: readonly string[]): void => {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** A network stack of its own behind a cable. Gives the reason where there is no right, or no tool, to make one. */
export function namespaceHost(): AnotherHost | string {
  const name = `troupe-${process.pid}`
  const [near, far] = [`vt${process.pid}a`, `vt${process.pid}b`]
  const network = `10.231.${process.pid % 256}`
  const close = (): void => {
    for (const args of [
      ['link', 'del', near],
      ['netns', 'del', name],
    ]) {
      try {
        ip(...args)
      } catch {
        // It was not made.
      }
    }
  }
  try {
    ip('netns', 'add', name)
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far)
    ip('link', 'set', far, 'netns', name)
    ip('addr', 'add', `${network}.1/24`, 'dev', near)
    ip('link', 'set', near, 'up')
    ip('-n', name, 'addr', 'add', `${network}.2/24`, 'dev', far)
    ip('-n', name, 'link', 'set', far, 'up')
    ip('-n', name, 'link', 'set', 'lo', 'up')
  } catch (error) {
    close()
    return (error as Error).message.split('\n', 1)[0] as string
  }
  return { near: `${network}.1`, far: `${network}.2`, command: ['ip', 'netns', 'exec', name], close }
}
