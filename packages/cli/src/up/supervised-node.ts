/** One start of a node as a process: what it logs, and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { PlannedNode } from './cluster-plan.ts'

const TROUPE = fileURLToPath(new URL('../../bin/troupe.js', import.meta.url))

/** Lines that a node logs as JSON. */
export interface LogLine {
  readonly event: string
  readonly [field: string]: unknown
}

export interface SupervisedNodeEvents {
  logged(line: LogLine): void
  /** @param words the last that it has said and that is no line of its log */
  ended(code: number | null, signal: NodeJS.Signals | null, words: string): void
}

export class SupervisedNode {
  readonly #process: ChildProcess
  readonly #ended: Promise<void>

  /** @param secrets variables of its environment */
  constructor(node: PlannedNode, secrets: Readonly<Record<string, string>>, events: SupervisedNodeEvents) {
    const args = [TROUPE, 'node', '--config', node.configFile, '--log-format', 'json']
    // A group of its own: Ctrl-C on the terminal is for the supervisor alone, which stops one node after the other. The channel
    // ends the node should the supervisor be gone.
    const child = spawn(process.execPath, args, {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...inherited(), ...secrets },
    })
    this.#process = child
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ended = promise
    const words = this.#read(node.logFile, events)
    child.on('error', (error) => {
      // A signal that does not reach it is no end.
      if (child.pid !== undefined) return
      events.ended(null, null, error.message)
      resolve()
    })
    // After everything that it has said.
    child.once('close', (code, signal) => {
      if (child.pid === undefined) return
      events.ended(code, signal, words())
      resolve()
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Gives the last words that were no line of the log. */
  #read(logFile: string, events: SupervisedNodeEvents): () => string {
    const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 })
    // A full disk must not take the supervisor down.
    log.on('error', () => {})
    let words = ''
    const stderr = this.#process.stderr as NodeJS.ReadableStream
    createInterface({ input: stderr })
      .on('line', (text) => {
        log.write(`${text}\n`)
        const line = logLineOf(text)
        if (line !== undefined) events.logged(line)
        // The error comes before its stack.
        else if (/^troupe: |Error: /.test(text)) words = text.replace(/^troupe: /, '')
      })
      .once('close', () => log.end())
    return () => words
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Asks it to stop, and ends it where it does not within the bound. */
  async stop(boundMs: number): Promise<void> {
    const timer = setTimeout(() => this.kill('SIGKILL'), boundMs)
    this.kill('SIGTERM')
    await this.#ended
    clearTimeout(timer)
  }
}

function logLineOf(text: string): LogLine | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    const line = JSON.parse(text) as Partial<LogLine>
    return typeof line.event === 'string' ? (line as LogLine) : undefined
  } catch {
    return undefined
  }
}

/** Without what would come before the node's file. */
function inherited(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env)
  return Object.fromEntries(
    entries.filter(([name]) => !name.startsWith('TROUPE_') || name === 'TROUPE_DEBUG'),
  )
}
