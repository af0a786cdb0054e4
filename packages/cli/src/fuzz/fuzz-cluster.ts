/** Three nodes in processes of their own, on free ports of the loopback, that are there to be attacked. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { RaftError } from '@troupe/core'
import { TestAuthority, type TlsFiles } from '@troupe/transport'
import { freePorts, LOOPBACK } from '../free-ports.ts'

export interface FuzzedNode {
  readonly id: string
  readonly port: number
  readonly healthPort: number
  readonly child: ChildProcess
  /** The last that it has said. */
  readonly said: string[]
}

/** What a node tells of itself at /metrics, by name and labels as they stand there. */
export type Figures = ReadonlyMap<string, number>

export const CLUSTER = 'fuzzed'

const IDS = ['n1', 'n2', 'n3']
/** Whose certificate the attackers have: it makes them clients and operators, and no peers. */
const ATTACKER = 'fuzz'
const MAX_SAID = 50
const START_MS = 120_000
/** A node that answers later has hung. */
const ANSWER_MS = 10_000

/** A stranger is to be found out soon: there are many of them. */
const LIMITS = { handshakeTimeoutMs: 1500, frameTimeoutMs: 1500 }

export class FuzzCluster {
  readonly nodes: readonly FuzzedNode[]
  /** For those who come with a certificate; undefined where the nodes have no TLS. */
  readonly tls: TlsFiles | undefined
  readonly #directory: string

  /**
   * @param isTls whether the nodes speak TLS alone
   * @throws RaftError NODE_UNAVAILABLE where a node does not start
   */
  static async start(isTls: boolean, signal: AbortSignal): Promise<FuzzCluster> {
    const ports = await freePorts(2 * IDS.length)
    const cluster = new FuzzCluster(ports, isTls)
    try {
      await Promise.all(cluster.nodes.map((node) => cluster.#ready(node, signal)))
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  private constructor(ports: readonly number[], isTls: boolean) {
    this.#directory = mkdtempSync(join(tmpdir(), 'troupe-fuzz-'))
    const filesOf = isTls ? issue(this.#directory) : undefined
    this.tls = filesOf?.(ATTACKER)
    const peers = Object.fromEntries(IDS.map((id, at) => [id, `${LOOPBACK}:${ports[at]}`]))
    this.nodes = IDS.map((id, at) => {
      const [port, healthPort] = [ports[at] as number, ports[IDS.length + at] as number]
      const own = { id, cluster: CLUSTER, peers, directory: join(this.#directory, id), limits: LIMITS }
      const config = { ...own, tls: filesOf?.(id), health: `${LOOPBACK}:${healthPort}`, logLevel: 'error' }
      return this.#launch(config, port, healthPort)
    })
  }

  #launch(config: { readonly id: string }, port: number, healthPort: number): FuzzedNode {
    const path = join(this.#directory, `${config.id}.json`)
    writeFileSync(path, JSON.stringify(config))
    const command = fileURLToPath(new URL('../../bin/troupe.js', import.meta.url))
    // A group of its own: Ctrl-C on the terminal is no fault of a node. The channel ends it should this process be gone.
    const child = spawn(process.execPath, [command, 'node', '--config', path], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    const said: string[] = []
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said.push(...text.split('\n').filter((line) => line !== ''))
      said.splice(0, Math.max(0, said.length - MAX_SAID))
    })
    return { id: config.id, port, healthPort, child, said }
  }

  get seeds(): readonly string[] {
    return this.nodes.map(({ port }) => `${LOOPBACK}:${port}`)
  }

  /** Nodes that have ended, and what they have said. */
  get dead(): readonly FuzzedNode[] {
    return this.nodes.filter(({ child }) => child.exitCode !== null || child.signalCode !== null)
  }

  async figures({ healthPort }: FuzzedNode): Promise<Figures> {
    const response = await fetch(`http://${LOOPBACK}:${healthPort}/metrics`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    return readFigures(await response.text())
  }

  /** Memory of its own that a node has, in bytes: without what it maps of files, where the system tells that. */
  memoryBytes({ child }: FuzzedNode): number | undefined {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      const kib = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]
      return kib === undefined ? undefined : Number(kib) * 1024
    } catch {
      return undefined
    }
  }

  /** Kills the nodes, and takes their directories away. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => end(node)))
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #ready(node: FuzzedNode, signal: AbortSignal): Promise<void> {
    const deadlineMs = performance.now() + START_MS
    for (;;) {
      signal.throwIfAborted()
      const isDead = this.dead.includes(node)
      if (isDead || performance.now() > deadlineMs) {
        const reason = `it did not start: ${node.said.at(-1) ?? ''}`
        throw new RaftError('NODE_UNAVAILABLE', `node ${node.id}: ${reason}`, { node: node.id, reason })
      }
      const within = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
      const isReady = await fetch(`http://${LOOPBACK}:${node.healthPort}/readyz`, { signal: within }).then(
        ({ ok }) => ok,
        () => false,
      )
      if (isReady) return
      await sleep(50)
    }
  }
}

/** Certificates of all, in files; tells where those of a name are. */
function issue(directory: string): (name: string) => TlsFiles {
  const authority = new TestAuthority()
  const path = (file: string): string => join(directory, file)
  writeFileSync(path('ca.pem'), authority.certificate)
  for (const name of [...IDS, ATTACKER]) {
    const { certificate, key } = authority.issue(name)
    writeFileSync(path(`${name}.pem`), certificate)
    writeFileSync(path(`${name}.key`), key, { mode: 0o600 })
  }
  return (name) => ({
    certificate: path(`${name}.pem`),
    key: path(`${name}.key`),
    authority: path('ca.pem'),
  })
}

/** At once: what it holds goes with it, and leaders that hand over would find nobody. */
async function end({ child }: FuzzedNode): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

function readFigures(text: string): Figures {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}
