/**
 * Stops a process by SIGSTOP, and makes sure that it goes on: a guard waits for the end of its input and sends SIGCONT then.
 * Should this process be killed, the guard's input ends with it, and nothing stands still for ever.
 */
import { spawn } from 'node:child_process'
import { hrtimeMs } from '@troupe/actor'

export interface Frozen {
  /** When the signal was sent, by the monotonic clock. */
  readonly atMs: number
  /** Idempotent. */
  resume(): void
}

/** @throws where the guard cannot be started, or there is no such process; then nothing was stopped */
export function freeze(pid: number): Frozen {
  const guard = spawn('sh', ['-c', `read line; kill -CONT ${pid} 2>/dev/null`], {
    // Ctrl-C on the terminal is not for it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.stdin.on('error', () => {})
  guard.on('error', () => {})
  guard.unref()
  const dismiss = (): void => {
    // The number may be another process's by then: the guard is not to find it.
    guard.kill('SIGKILL')
    guard.stdin.destroy()
  }
  // From here on it has the end of its input, also before it reads.
  if (guard.pid === undefined) throw new Error(`process ${pid} is not stopped: nobody would wake it`)
  const atMs = hrtimeMs()
  try {
    process.kill(pid, 'SIGSTOP')
  } catch (error) {
    dismiss()
    throw error
  }
  let isOver = false
  return {
    atMs,
    resume() {
      if (isOver) return
      isOver = true
      wake(pid)
      dismiss()
    },
  }
}

/** A process that is gone needs none. */
function wake(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch {}
}
