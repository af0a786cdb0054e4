/** `troupe up`: a local cluster that is watched over. */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, it } from 'node:test'
import { Client, Cluster } from '@troupe/cluster'
import { kv } from '@troupe/machines'
import { freePorts } from './node-processes.ts'
import { Ledger, until } from './support.ts'
import { TroupeCommand } from './troupe-command.ts'

interface Line {
  readonly event: string
  readonly node?: string
  readonly pid?: number
  readonly connect?: readonly string[]
  readonly directory?: string
  readonly nodes?: readonly { readonly node: string; readonly role: string; readonly state: string }[]
}

/** A test that fails leaves none behind: the nodes end with it. */
const started: Up[] = []

/** One `troupe up --json`, line by line. */
class Up {
  readonly child: ChildProcess
  readonly lines: Line[] = []
  readonly #exited: Promise<unknown>
  exitCode: number | null | undefined

  constructor(command: TroupeCommand, ...args: readonly string[]) {
    this.child = command.start(['up', '--json', ...args], join(command.scratch, `tmp-${Math.random()}`))
    const stdout = this.child.stdout as NodeJS.ReadableStream
    createInterface({ input: stdout }).on('line', (line) => this.lines.push(JSON.parse(line) as Line))
    this.child.stderr?.pipe(process.stderr)
    started.push(this)
    this.#exited = once(this.child, 'close').then(([code]) => {
      this.exitCode = code
    })
  }

  all(event: string, node?: string): readonly Line[] {
    return this.lines.filter((line) => line.event === event && (node === undefined || line.node === node))
  }

  async ready(): Promise<readonly string[]> {
    const isReady = (): boolean => {
      assert.equal(this.exitCode, undefined, 'it has ended')
      return this.all('ready').length > 0
    }
    await until('the cluster is ready', isReady, 150_000)
    return this.all('ready')[0]?.connect ?? []
  }

  /** The latest status that is so. */
  async shows(what: string, isSo: (nodes: NonNullable<Line['nodes']>) => boolean): Promise<void> {
    await until(`the status shows ${what}`, () => isSo(this.all('status').at(-1)?.nodes ?? []))
  }

  pidOf(node: string): number {
    return this.all('starting', node).at(-1)?.pid as number
  }

  async end(signal: NodeJS.Signals): Promise<number | null | undefined> {
    this.child.kill(signal)
    await this.#exited
    return this.exitCode
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('troupe up', () => {
  const command = new TroupeCommand()
  after(() => {
    for (const { child } of started) child.kill('SIGKILL')
    command.remove()
  })

  it('runs processes, restarts what is killed, and ends cleanly, the leader first; the directory serves again', async () => {
    const directory = join(command.scratch, 'kept')
    const first = new Up(command, '--processes', '--directory', directory)
    const seeds = await first.ready()
    assert.equal(seeds.length, 3)
    const client = await Client.connect(seeds, { timeoutMs: 60_000 })
    await client.propose(kv.set('a', 1))
    await first.shows('a leader', (nodes) => nodes.some(({ role }) => role === 'leader'))
    const leader = first.all('leads').at(-1)?.node as string
    process.kill(first.pidOf(leader), 'SIGKILL')
    await until('it is started again', () => first.all('started', leader).length === 2)
    await client.propose(kv.set('a', 2))
    await first.shows('all of them', (nodes) => nodes.filter(({ state }) => state === 'running').length === 3)
    await client.close()
    const pids = ['n1', 'n2', 'n3'].map((node) => first.pidOf(node))
    assert.equal(await first.end('SIGINT'), 0)
    assert.ok(first.all('handed-over').length >= 1, 'leadership was handed over')
    assert.deepEqual(pids.filter(isAlive), [])

    const second = new Up(command, '--processes', '--directory', directory)
    const again = await Client.connect(await second.ready(), { timeoutMs: 60_000 })
    assert.equal((await again.query<{ value: number }>(kv.get('a'))).value, 2)
    await again.close()
    // A second Ctrl-C does not wait, not even for a node that cannot stop.
    const running = ['n1', 'n2', 'n3'].map((node) => second.pidOf(node))
    for (const pid of running) process.kill(pid, 'SIGSTOP')
    second.child.kill('SIGINT')
    await until('it has begun to stop', () => second.all('stopping').length > 0)
    assert.equal(await second.end('SIGINT'), 130)
    await until('no node is left', () => running.every((pid) => !isAlive(pid)))
  })

  it('restarts all one after the other when it is asked to, and a client loses nothing', async (t) => {
    const up = new Up(command, '--processes')
    const client = await Client.connect(await up.ready(), { timeoutMs: 60_000 })
    const ledger = new Ledger(client)
    ledger.start(16)
    await until('writes are acknowledged', () => ledger.acknowledged > 100)
    const before = ['n1', 'n2', 'n3'].map((node) => up.pidOf(node))
    up.child.kill('SIGUSR2')
    for (const node of ['n1', 'n2', 'n3'])
      await until(`${node} runs again`, () => up.all('started', node).length === 2, 150_000)
    const { acknowledged } = ledger
    await until('writes go on', () => ledger.acknowledged > acknowledged + 100)
    await ledger.stop()
    await ledger.verify()
    assert.equal(ledger.unknown, 0)
    await client.close()
    assert.deepEqual(before.filter(isAlive), [])
    assert.deepEqual(up.all('ended'), [])
    t.diagnostic(
      `the longest pause between two of ${ledger.acknowledged} writes: ${ledger.longestPauseMs.toFixed(0)} ms`,
    )
    assert.equal(await up.end('SIGTERM'), 0)
  })

  it('leaves a node alone that fails again and again; its nodes end with it when it is killed', async () => {
    const up = new Up(command, '--processes', '--nodes', '2')
    await up.ready()
    let killed = 0
    await until('n2 is left alone', () => {
      const pid = up.pidOf('n2')
      if (pid !== killed) {
        killed = pid
        process.kill(pid, 'SIGKILL')
      }
      return up.all('quarantined', 'n2').length === 1
    })
    await up.shows('that', (nodes) =>
      nodes.some(({ node, state }) => node === 'n2' && state === 'quarantined'),
    )
    assert.equal(up.all('starting', 'n2').length, 6)
    const pid = up.pidOf('n1')
    assert.ok(isAlive(pid))
    await up.end('SIGKILL')
    await until('n1 has ended too', () => !isAlive(pid))
  })

  it('says what is wrong with ports and directories, and leaves nothing', async () => {
    const [port = 0] = await freePorts(1)
    const taken = createServer().listen({ host: '127.0.0.1', port })
    await once(taken, 'listening')
    const inUse = await command.run('up', '--processes', '--port', String(port))
    taken.close()
    assert.equal(inUse.code, 64)
    assert.match(
      inUse.stderr,
      new RegExp(`--port is ${port}; expected 3 free ports .*\\(${port}: EADDRINUSE\\)`),
    )
    assert.deepEqual(inUse.left, [])
    const directory = join(command.scratch, 'kept')
    assert.ok(existsSync(directory))
    const other = await command.run('up', '--processes', '--directory', directory, '--cluster', 'other')
    assert.equal(other.code, 64)
    assert.match(other.stderr, /it is of the cluster "local-\w+", not of "other"/)
    const count = await command.run('up', '--processes', '--directory', directory, '--nodes', '5')
    assert.match(count.stderr, /--nodes is 5; expected 3, as in the data directory/)
    const threads = await command.run('up', '--directory', directory)
    assert.equal(threads.code, 64)
    assert.match(threads.stderr, /its nodes were begun as processes: run it with --processes/)
    assert.equal(existsSync(join(directory, 'cluster.json')), false)
    const machine = await command.run('up', '--processes', '--nodes', '1', '--machine', 'nonsense')
    assert.equal(machine.code, 2)
    assert.match(machine.stderr, /node n1 does not start: exit code 64: .*nonsense/)
    assert.deepEqual(machine.left, [])
  })

  it('serves in processes what a cluster of threads has begun', async () => {
    const directory = join(command.scratch, 'grown')
    const cluster = await Cluster.start({ directory, nodes: ['a1', 'a2'] })
    const before = await cluster.client({ timeoutMs: 60_000 })
    await before.propose(kv.set('a', 1))
    await before.close()
    await cluster.stop()
    const up = new Up(command, '--processes', '--directory', directory)
    const client = await Client.connect(await up.ready(), { timeoutMs: 60_000 })
    assert.equal((await client.query<{ value: number }>(kv.get('a'))).value, 1)
    await client.close()
    assert.deepEqual([up.all('started', 'a1').length, up.all('started', 'a2').length], [1, 1])
    assert.equal(await up.end('SIGINT'), 0)
  })

  it('speaks TLS with the certificates that troupe ca makes', async () => {
    const tls = join(command.scratch, 'tls')
    const made = await command.run('ca', tls, '--nodes', 'n1,n2', '--operators', 'admin')
    assert.equal(made.code, 0)
    const up = new Up(command, '--processes', '--nodes', '2', '--tls', tls)
    const seeds = await up.ready()
    const file = (name: string): string => join(tls, name)
    const own = { certificate: file('admin.pem'), key: file('admin.key'), authority: file('ca.pem') }
    const client = await Client.connect(seeds, { tls: own, timeoutMs: 60_000 })
    await client.propose(kv.set('a', 1))
    await client.close()
    await up.shows('both', (nodes) => nodes.filter(({ state }) => state === 'running').length === 2)
    const authority = ['--tls-authority', own.authority]
    const admin = ['--tls-certificate', own.certificate, '--tls-key', own.key]
    const status = await command.run('status', '--connect', seeds.join(','), ...authority, ...admin)
    assert.match(status.stdout, /^n[12] leads in term/)
    const nobody = await command.run('status', '--connect', seeds.join(','), ...authority)
    assert.match(nobody.stderr, /a control without a token/)
    assert.equal(await up.end('SIGTERM'), 0)
  })

  it('runs threads as well', async () => {
    const ended = await command.interrupt(/"role":"leader"/, 'up', '--json', '--nodes', '3')
    assert.equal(ended.code, 0)
    assert.deepEqual(ended.left, [])
  })
})
