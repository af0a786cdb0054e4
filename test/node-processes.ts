/** Nodes in processes of their own, for the whole-system tests: each is ended with the test, whatever happens. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Client, type NodeOptions, type TcpClientSettings } from '@troupe/cluster'
import { TestAuthority, type TlsFiles } from '@troupe/transport'
import { fixture, until, withDirectory } from './support.ts'

interface NodeMessage {
  readonly kind: 'log' | 'started' | 'failed' | 'status' | 'digest'
  readonly event?: string
  readonly detail?: Readonly<Record<string, unknown>>
  readonly code?: string
  readonly message?: string
  readonly answer?: Readonly<Record<string, unknown>>
}

/** One start of a node. */
export class RunningNode {
  readonly id: string
  readonly child: ChildProcess
  readonly messages: NodeMessage[] = []
  exitCode: number | null | undefined
  readonly #exited: Promise<unknown>

  /** @param host what a command begins with that runs on another host */
  constructor(options: NodeOptions, host: readonly string[] = []) {
    this.id = options.id
    const path = new URL(fixture('node-process.ts')).pathname
    const [program = '', ...args] = [...host, process.execPath, path, JSON.stringify(options)]
    this.child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.child.on('message', (message) => this.messages.push(message as NodeMessage))
    this.#exited = once(this.child, 'exit').then(([code]) => {
      this.exitCode = code
    })
  }

  async started(): Promise<this> {
    const isStarted = (): boolean => {
      assert.equal(this.failure, undefined)
      assert.equal(this.exitCode, undefined, `node ${this.id} has ended`)
      return this.messages.some(({ kind }) => kind === 'started')
    }
    // The sources of a node are a lot to read for a machine that has other things to do.
    await until(`node ${this.id} has started`, isStarted, 150_000)
    return this
  }

  /** Why it did not start. */
  get failure(): string | undefined {
    const failed = this.messages.find(({ kind }) => kind === 'failed')
    return failed === undefined ? undefined : `${failed.code}: ${failed.message}`
  }

  async failed(): Promise<string> {
    await until(`node ${this.id} has failed`, () => this.failure !== undefined)
    await this.#exited
    return this.failure as string
  }

  /** Details of the lines of its log of that event. */
  logged(event: string): Readonly<Record<string, unknown>>[] {
    return this.messages.flatMap((line) =>
      line.kind === 'log' && line.event === event ? [line.detail ?? {}] : [],
    )
  }

  async ask(question: 'status' | 'digest'): Promise<Readonly<Record<string, unknown>>> {
    const before = this.messages.length
    this.child.send(question)
    const find = () => this.messages.slice(before).find(({ kind }) => kind === question)
    await until(`node ${this.id} answers`, () => find() !== undefined)
    return find()?.answer as Readonly<Record<string, unknown>>
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null | undefined> {
    if (this.exitCode === undefined && this.child.signalCode === null) this.child.kill(signal)
    await this.#exited
    return this.exitCode
  }
}

/** Nodes of one cluster, and where they are. */
export class NodeProcesses {
  readonly directory: string
  readonly peers: Readonly<Record<string, string>>
  readonly nodes = new Map<string, RunningNode>()
  readonly #common: Partial<NodeOptions>
  readonly #all: RunningNode[] = []

  constructor(directory: string, peers: Readonly<Record<string, string>>, common: Partial<NodeOptions>) {
    this.directory = directory
    this.peers = peers
    this.#common = common
  }

  /** Begins a start of that node; `host` as {@link RunningNode} has it. */
  launch(id: string, more: Partial<NodeOptions> = {}, host: readonly string[] = []): RunningNode {
    const { peers } = this
    const own = { id, cluster: 'test', directory: join(this.directory, id), peers }
    const node = new RunningNode({ ...own, ...this.#common, ...more }, host)
    this.#all.push(node)
    this.nodes.set(id, node)
    return node
  }

  async startAll(): Promise<void> {
    await Promise.all(Object.keys(this.peers).map((id) => this.launch(id).started()))
  }

  /** Who leads, by its own account, and runs. */
  async leader(): Promise<RunningNode> {
    let found: RunningNode | undefined
    await until('somebody leads', async () => {
      for (const node of this.nodes.values()) {
        if (node.exitCode !== undefined || node.child.signalCode !== null) continue
        if ((await node.ask('status'))['role'] === 'leader') found = node
      }
      return found !== undefined
    })
    return found as RunningNode
  }

  client(settings: TcpClientSettings = {}): Promise<Client> {
    return Client.connect(Object.values(this.peers), settings)
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#all.map((node) => node.end('SIGKILL')))
  }
}

/** Checks that all nodes hold the same state, once they have applied the same. */
export async function assertEqualDigests({ nodes }: NodeProcesses): Promise<void> {
  await until('all have applied the same', async () => {
    const statuses = await Promise.all([...nodes.values()].map((node) => node.ask('status')))
    const applied = statuses.map((status) => status['applied'])
    return new Set(applied).size === 1
  })
  const digests = await Promise.all([...nodes.values()].map((node) => node.ask('digest')))
  for (const digest of digests) assert.deepEqual(digest, digests[0])
}

/** Gives `run` a cluster of processes that are not started yet. */
export function withProcesses(
  ids: readonly string[],
  run: (processes: NodeProcesses, t: TestContext) => Promise<void>,
  common: (directory: string) => Partial<NodeOptions> = () => ({}),
): (t: TestContext) => Promise<void> {
  return (t) =>
    withDirectory(async (directory) => {
      const ports = await freePorts(ids.length)
      const peers = Object.fromEntries(ids.map((id, index) => [id, `127.0.0.1:${ports[index]}`]))
      const processes = new NodeProcesses(directory, peers, common(directory))
      try {
        await run(processes, t)
      } finally {
        await processes.killAll()
      }
    })
}

/** Writes the files of everybody in `names`, all of one authority. */
export function certificatesFor(
  directory: string,
  names: readonly string[],
  authority = new TestAuthority(),
): Record<string, TlsFiles> {
  const path = join(directory, 'tls')
  mkdirSync(path, { recursive: true })
  const write = (name: string, text: string): string => {
    writeFileSync(join(path, name), text)
    return join(path, name)
  }
  const ca = write('authority.pem', authority.certificate)
  return Object.fromEntries(
    names.map((name) => {
      const { certificate, key } = authority.issue(name)
      const own = { certificate: write(`${name}.pem`, certificate), key: write(`${name}.key`, key) }
      return [name, { ...own, authority: ca }]
    }),
  )
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen({ host, port: 0 }))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
