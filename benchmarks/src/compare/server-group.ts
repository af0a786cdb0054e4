/**
 * The servers of a peer: processes of ours, each the head of a process group of its own, so that Ctrl-C on the terminal
 * reaches only us and whatever they start ends with them. They end with the benchmark, however that ends: asked first,
 * killed after a while, and killed at once where this process exits.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { freePorts } from '../engine/free-ports.ts'

const STOP_GRACE_MS = 5000
const POLL_MS = 100
const START_TIMEOUT_MS = 120_000
/** Of a server's log in an error. */
const TAIL_LINES = 8

interface Server {
  readonly name: string
  readonly child: ChildProcess
  readonly exited: Promise<void>
  readonly log: string
  hasExited: boolean
}

export class ServerGroup {
  readonly directory: string
  readonly #bench: Bench
  readonly #servers: Server[] = []
  #isStopping = false
  readonly #killOnExit = (): void => {
    this.#signalAll('SIGKILL')
  }

  /** @param name of its folder in the data directory */
  constructor(bench: Bench, name: string) {
    this.#bench = bench
    this.directory = this.#makeDirectory(join(bench.directory, name))
    process.on('exit', this.#killOnExit)
    bench.onEnd(() => this.stop())
  }

  ports(count: number): Promise<number[]> {
    return this.#bench.or(freePorts(count))
  }

  /** A new folder. */
  folder(name: string): string {
    return this.#makeDirectory(join(this.directory, name))
  }

  /** Writes a configuration; its path. */
  file(name: string, content: string): string {
    const path = join(this.directory, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }

  spawn(name: string, program: string, args: readonly string[], env: Record<string, string> = {}): void {
    const log = join(this.directory, `${name}.log`)
    const output = openSync(log, 'a')
    const child = spawn(program, args, {
      cwd: this.directory,
      detached: true,
      stdio: ['ignore', output, output],
      env: { ...process.env, ...env },
    })
    closeSync(output)
    const exited = new Promise<void>((resolve) => {
      const end = (): void => {
        server.hasExited = true
        // What it has started may go on without it. Only now is the group's number surely still its own.
        signalGroup(server, 'SIGKILL')
        resolve()
      }
      child.once('exit', end)
      child.once('error', end)
    })
    const server: Server = { name, child, exited, log, hasExited: false }
    this.#servers.push(server)
  }

  /**
   * Asks until the answer is a value, or true.
   * @throws with the end of a server's log where one has exited, or where it takes too long
   */
  async until<Value>(what: string, probe: () => Promise<Value | false | undefined>): Promise<Value> {
    const deadlineMs = performance.now() + START_TIMEOUT_MS
    let last: unknown
    while (performance.now() < deadlineMs) {
      this.throwIfExited()
      try {
        const value = await this.#bench.or(probe())
        if (value !== false && value !== undefined) return value
      } catch (error) {
        if (this.#bench.isInterrupted) throw error
        last = error
      }
      await this.#bench.or(delay(POLL_MS))
    }
    const reason = last instanceof Error ? ` (${last.message})` : ''
    throw new Error(`${what}: not within ${START_TIMEOUT_MS / 1000} s${reason}${this.#tails()}`)
  }

  /** @throws with the end of its log where a server has exited that should run */
  throwIfExited(): void {
    const dead = this.#servers.find(({ hasExited }) => hasExited)
    if (dead === undefined || this.#isStopping) return
    const { exitCode, signalCode, pid } = dead.child
    const how = pid === undefined ? 'it could not be started' : (signalCode ?? exitCode)
    throw new Error(`${dead.name} has ended (${how})${tailOf(dead)}`)
  }

  /** Ends all servers and whatever they have started. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#signalAll('SIGTERM')
    const all = Promise.all(this.#servers.map(({ exited }) => exited))
    await Promise.race([all, delay(STOP_GRACE_MS)])
    this.#signalAll('SIGKILL')
    await all
    process.off('exit', this.#killOnExit)
  }

  #signalAll(signal: NodeJS.Signals): void {
    for (const server of this.#servers) if (!server.hasExited) signalGroup(server, signal)
  }

  #makeDirectory(path: string): string {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return path
  }

  #tails(): string {
    return this.#servers.map(tailOf).join('')
  }
}

function tailOf({ name, log }: Server): string {
  const lines = readFileSync(log, 'utf8').trim().split('\n').slice(-TAIL_LINES)
  return `\n${lines.map((line) => `  ${name}: ${line}`).join('\n')}`
}

/** A group that is gone is what was wanted. */
function signalGroup({ child }: Server, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {}
}
