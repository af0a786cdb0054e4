/**
 * Real networks: a network namespace for each node, with a cable to a bridge of their own. What is done to a link is done by
 * the kernel to packets, whatever the nodes and the laboratory are busy with.
 *
 *     n1 [10.x.y.2] ── veth ──┐
 *     n2 [10.x.y.3] ── veth ──┼── bridge [10.x.y.1] ── the laboratory, whose proxy the clients come through
 *     n3 [10.x.y.4] ── veth ──┘
 *
 * A cut has a direction: packets from one node to another go to a hardware address that nobody has. So nothing comes back
 * either where that answers (TCP acknowledges), but what the other end sends by itself arrives. All else is netem's, at the
 * sender (link-shaper.ts); where the kernel has none, loss is iptables' `statistic`, at the receiver.
 *
 * All names begin with a prefix that has the number of this process in it. They are removed when it is closed, and by a guard
 * of its own where this process is killed.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { DirectedLink } from '@troupe/faults'
import { LinkShaper } from './link-shaper.ts'
import { reasonOf, run, runNow } from './net-tools.ts'

/** Before the number of the process. */
const PREFIX = 'troupe-lab'
const PORT = 7400
/** A node's end of its cable. */
const DEVICE = 'eth0'
/** Locally administered, and of nobody. */
const NOBODY = '02:00:00:00:00:00'
const ATTEMPTS = 20

interface Host {
  readonly name: string
  readonly namespace: string
  /** The bridge's end of its cable. */
  readonly cable: string
  readonly address: string
  readonly hardware: string
}

export interface NamespaceOptions {
  /** Whether links can be shaped: the kernel has netem. @default false */
  readonly shapes?: boolean | undefined
  /** What is asked to do so. @default 'tc' */
  readonly tc?: string | undefined
}

export class NamespaceNetwork {
  /** Does to links what netem does; undefined where they are not to be shaped. */
  readonly shaper: LinkShaper | undefined
  readonly #bridge: string
  readonly #near: string
  readonly #hosts = new Map<string, Host>()
  #guard: ChildProcess | undefined
  /** One change after the other. */
  #last: Promise<void> = Promise.resolve()
  #isClosed = false
  readonly #closeOnExit = (): void => this.close()

  /**
   * Makes the namespaces, the cables and the bridge.
   * @throws Error where there is no right, or no tool, to do so; then nothing is left. {@link networkProblem} knows before
   */
  static open(names: readonly string[], options: NamespaceOptions = {}): NamespaceNetwork {
    const tag = `${process.pid}-${randomBytes(2).toString('hex')}`
    const network = new NamespaceNetwork(names, tag, freeNet(), options)
    try {
      network.#make()
      return network
    } catch (error) {
      network.close()
      throw error
    }
  }

  private constructor(names: readonly string[], tag: string, net: string, { shapes, tc }: NamespaceOptions) {
    // Names of interfaces have at most 15 characters.
    const short = `tl${tag.replace('-', '')}`.slice(0, 12)
    this.#bridge = `${short}b`
    this.#near = `${net}.1`
    for (const [at, name] of names.entries()) {
      this.#hosts.set(name, {
        name,
        namespace: `${PREFIX}-${tag}-${name}`,
        cable: `${short}${at}`,
        address: `${net}.${at + 2}`,
        hardware: `02:00:00:00:01:${(at + 1).toString(16).padStart(2, '0')}`,
      })
    }
    if (shapes !== true) return
    const queue = (change: () => Promise<void>): Promise<void> => this.#next(change)
    this.shaper = new LinkShaper({ device: DEVICE, hosts: [...this.#hosts.values()], program: tc, queue })
  }

  #make(): void {
    this.#watch()
    process.on('exit', this.#closeOnExit)
    ip('link', 'add', this.#bridge, 'type', 'bridge')
    ip('addr', 'add', `${this.#near}/24`, 'dev', this.#bridge)
    ip('link', 'set', this.#bridge, 'up')
    for (const { namespace, cable, address, hardware } of this.#hosts.values()) {
      ip('netns', 'add', namespace)
      ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', DEVICE, 'netns', namespace)
      ip('link', 'set', cable, 'master', this.#bridge, 'up')
      ip('-n', namespace, 'link', 'set', DEVICE, 'address', hardware)
      ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', DEVICE)
      ip('-n', namespace, 'link', 'set', DEVICE, 'up')
      ip('-n', namespace, 'link', 'set', 'lo', 'up')
    }
    for (const from of this.#hosts.values()) {
      // Known for good: nobody has to ask for addresses over a link that is cut.
      const others = [...this.#hosts.values()].filter((to) => to !== from)
      batchNow(
        from.namespace,
        others.map((to) => neighbour(to.address, to.hardware)),
      )
    }
    this.shaper?.install()
  }

  /** Where a node of that name listens. */
  addressOf(name: string): string {
    return `${this.#host(name).address}:${PORT}`
  }

  /** What a command begins with that runs there. */
  prefixOf(name: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#host(name).namespace]
  }

  /** Nothing gets over these links from now on, or everything again. Resolves when that is so. */
  cut(links: readonly DirectedLink[], isCut: boolean): Promise<void> {
    return this.#next(async () => {
      const lines = new Map<string, string[]>()
      for (const { from, to } of links) {
        const { namespace } = this.#host(from)
        const { address, hardware } = this.#host(to)
        lines.set(namespace, [...(lines.get(namespace) ?? []), neighbour(address, isCut ? NOBODY : hardware)])
      }
      await Promise.all(Array.from(lines, ([namespace, own]) => batch(namespace, own)))
    })
  }

  /** That share of the packets is lost; 0: none any more. Resolves when that is so. @param percent above 0 was 0 before */
  lose(links: readonly DirectedLink[], percent: number, isOn: boolean): Promise<void> {
    return this.#next(async () => {
      for (const { from, to } of links) {
        const { namespace } = this.#host(to)
        const rule = ['INPUT', '-s', this.#host(from).address, '-m', 'statistic', '--mode', 'random']
        const probability = ['--probability', (percent / 100).toFixed(4), '-j', 'DROP']
        const words = ['netns', 'exec', namespace, 'iptables', isOn ? '-A' : '-D', ...rule, ...probability]
        await run('ip', words)
      }
    })
  }

  /** Removes all of it. Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    process.off('exit', this.#closeOnExit)
    for (const words of this.#removal()) {
      try {
        ip(...words)
      } catch {
        // It was not made.
      }
    }
    this.#guard?.kill('SIGKILL')
    this.#guard?.stdin?.destroy()
  }

  #removal(): readonly (readonly string[])[] {
    const hosts = [...this.#hosts.values()]
    return [
      ...hosts.map(({ cable }) => ['link', 'del', cable]),
      ...hosts.map(({ namespace }) => ['netns', 'del', namespace]),
      ['link', 'del', this.#bridge],
    ]
  }

  /** Should this process be killed, the guard's input ends. */
  #watch(): void {
    const lines = this.#removal().map((words) => `ip ${words.join(' ')} 2>/dev/null`)
    // Processes inside end with their parent, a moment later: the namespace goes with the last of them.
    this.#guard = spawn('sh', ['-c', ['read line', ...lines].join('\n')], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#guard.stdin?.on('error', () => {})
    this.#guard.on('error', () => {})
    this.#guard.unref()
  }

  #next(change: () => Promise<void>): Promise<void> {
    const done = this.#last.then(() => (this.#isClosed ? undefined : change()))
    this.#last = done.catch(() => {})
    return done
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new Error(`no host ${name}`)
    return host
  }
}

/** Why there can be no namespaces here; undefined where there can. Makes one, and takes it away again. */
export function networkProblem(): string | undefined {
  const name = `${PREFIX}-${process.pid}-probe`
  try {
    ip('netns', 'add', name)
  } catch (error) {
    return reasonOf(error)
  }
  try {
    const cable = `tl${process.pid}p`
    ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    ip('link', 'del', cable)
    return undefined
  } catch (error) {
    return reasonOf(error)
  } finally {
    ip('netns', 'del', name)
  }
}

/** Why no loss can be made without netem; undefined where it can. */
export function lossProblem(): string | undefined {
  try {
    runNow('iptables', ['--version'])
    return undefined
  } catch (error) {
    return reasonOf(error)
  }
}

/** Namespaces of laboratories that are no more. */
export function leftNamespaces(): readonly string[] {
  const all = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split('\n')
  return all.flatMap((line) => {
    const [name = ''] = line.split(' ')
    const [, pid] = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name) ?? []
    return pid === undefined || existsSync(`/proc/${pid}`) ? [] : [name]
  })
}

const neighbour = (address: string, hardware: string): string =>
  `neigh replace ${address} lladdr ${hardware} dev ${DEVICE} nud permanent`

function ip(...words: readonly string[]): void {
  runNow('ip', words)
}

function batchNow(namespace: string, lines: readonly string[]): void {
  if (lines.length > 0) runNow('ip', ['-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`)
}

function batch(namespace: string, lines: readonly string[]): Promise<void> {
  return run('ip', ['-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`)
}

/** A network that nobody here has a way to. */
function freeNet(): string {
  const routes = execFileSync('ip', ['-4', 'route', 'show', 'table', 'all'], { encoding: 'utf8' })
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [second = 0, third = 0] = randomBytes(2)
    const net = `10.${128 + (second % 128)}.${third}`
    if (!routes.includes(`${net}.`)) return net
  }
  throw new Error('no network of 10/8 is free')
}
