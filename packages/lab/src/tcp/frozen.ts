/**
 * Stops a process by SIGSTOP, and makes sure that it goes on: a guard waits for the end of its input and sends SIGCONT then.
 * Should the laboratory be killed, the guard's input ends with it, and nothing stands still for ever.
 */
import { type ChildProcess, spawn } from 'node:child_process'

export interface Frozen {
  /** Idempotent. */
  resume(): void
}

/** At once: the guard starts beside it. */
export function freeze(pid: number): Frozen {
  const guard = spawn('sh', ['-c', `read line; kill -CONT ${pid} 2>/dev/null`], {
    // Ctrl-C on the terminal is not for it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.stdin.on('error', () => {})
  guard.on('error', () => {})
  guard.unref()
  signal(pid, 'SIGSTOP')
  return new FrozenProcess(pid, guard)
}

class FrozenProcess implements Frozen {
  readonly #pid: number
  readonly #guard: ChildProcess
  #isOver = false

  constructor(pid: number, guard: ChildProcess) {
    this.#pid = pid
    this.#guard = guard
  }

  resume(): void {
    if (this.#isOver) return
    this.#isOver = true
    signal(this.#pid, 'SIGCONT')
    // The number may be another process's by then: the guard is not to find it.
    this.#guard.kill('SIGKILL')
    this.#guard.stdin?.destroy()
  }
}

/** A process that is gone needs none. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {}
}
