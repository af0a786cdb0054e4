/**
 * Runs the `troupe` command as a user does: a child process, with a folder of its own for temporary data. Or the same
 * command line in this process, which has its modules already: starting them anew costs more than most commands do.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCli } from '@troupe/cli'
import { isFull, runningHere, until } from './support.ts'

export const troupe = fileURLToPath(new URL('../packages/cli/bin/troupe.js', import.meta.url))

const compiled = fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url))

/** For a command, far above what it takes, and below the bound of a test: then it is told what the command has said. */
const BOUND_MS = isFull ? 3_000_000 : 150_000

const running = new Set<ChildProcess>()
// A test file that is ended from outside leaves no command behind.
process.once('SIGTERM', () => {
  for (const child of running) child.kill('SIGKILL')
  process.kill(process.pid, 'SIGTERM')
})

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export class TroupeCommand {
  /** For what a test wants to keep for a while. */
  readonly scratch = mkdtempSync(join(tmpdir(), 'troupe-command-'))
  #runs = 0

  /** Temporary data goes into `temporary`, so that what is left behind is seen. */
  start(args: readonly string[], temporary: string): ChildProcess {
    mkdirSync(temporary, { recursive: true })
    const child = spawn(process.execPath, [troupe, ...args], {
      // Where a test runs alone nothing says where compiled modules are kept: not among what a command may leave behind.
      env: { NODE_COMPILE_CACHE: compiled, ...process.env, TMPDIR: temporary, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    child.once('close', () => running.delete(child))
    return child
  }

  /** Runs to the end; `left` is what is left of its temporary data. */
  async run(...args: readonly string[]): Promise<Ended & { readonly left: string[] }> {
    const temporary = join(this.scratch, `tmp-${++this.#runs}`)
    const result = await ended(this.start(args, temporary))
    return { ...result, left: readdirSync(temporary) }
  }

  /** The same in this process; of its threads none is left. */
  async runHere(...args: readonly string[]): Promise<Ended & { readonly left: string[] }> {
    const temporary = join(this.scratch, `tmp-${++this.#runs}`)
    mkdirSync(temporary, { recursive: true })
    const said = { stdout: '', stderr: '' }
    const stream = (to: keyof typeof said) => ({
      write: (text: string) => {
        said[to] += text
      },
    })
    const signal = AbortSignal.timeout(BOUND_MS)
    const context = { stdout: stream('stdout'), stderr: stream('stderr'), env: { NO_COLOR: '1' }, signal }
    const { TMPDIR: before } = process.env
    const runningBefore = runningHere()
    process.env.TMPDIR = temporary
    try {
      const code = await runCli(args, context)
      assert.ok(
        !signal.aborted,
        `troupe ${args.join(' ')} did not end within ${BOUND_MS} ms:\n${said.stderr}`,
      )
      await until('its threads are gone', () => runningHere() <= runningBefore)
      return { code, ...said, left: readdirSync(temporary) }
    } finally {
      if (before === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = before
    }
  }

  /** The first, interrupted once as by Ctrl-C, when what it has said matches `cue`. */
  async interrupt(cue: RegExp, ...args: readonly string[]): Promise<Ended & { readonly left: string[] }> {
    const temporary = join(this.scratch, `tmp-${++this.#runs}`)
    const child = this.start(args, temporary)
    let said = ''
    let isTold = false
    const hear = (text: unknown): void => {
      said += String(text)
      // Once: a second Ctrl-C ends it at once.
      if (isTold || !cue.test(said)) return
      isTold = true
      child.kill('SIGINT')
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    const result = await ended(child)
    assert.ok(isTold, `it never said ${cue}, but:\n${said}`)
    return { ...result, left: readdirSync(temporary) }
  }

  remove(): void {
    rmSync(this.scratch, { recursive: true, force: true })
  }
}

/** What a child has said, and how it ended. One that does not is killed, and fails with what it has said so far. */
async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), BOUND_MS)
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  const args = child.spawnargs.slice(2).join(' ')
  assert.notEqual(signal, 'SIGKILL', `troupe ${args} did not end within ${BOUND_MS} ms:\n${stdout}${stderr}`)
  return { code, stdout, stderr }
}
