/**
 * Stops a process by SIGSTOP, and makes sure that it goes on: a guard waits for the end of its input and sends SIGCONT
 * then. Should this process be killed, the guard's input ends with it, and nothing stands still for ever.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { hrtimeMs } from '@troupe/actor'

export interface Frozen {
  /** When the signal was sent, by the monotonic clock. */
  readonly atMs: number
  /** Idempotent. */
  resume(): void
}

/** @throws where the guard cannot be started; then nothing was stopped */
export async function freeze(pid: number): Promise<Frozen> {
  const guard = spawn('sh', ['-c', `echo; read line; kill -CONT ${pid} 2>/dev/null`], {
    // Ctrl-C on the terminal is not for it.
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  guard.stdin.on('error', () => {})
  await Promise.race([
    once(guard.stdout, 'data'),
    once(guard, 'error').then(([error]) => Promise.reject(error)),
  ])
  guard.stdout.destroy()
  guard.unref()
  const atMs = hrtimeMs()
  process.kill(pid, 'SIGSTOP')
  let isOver = false
  return {
    atMs,
    resume() {
      if (isOver) return
      isOver = true
      signal(pid, 'SIGCONT')
      guard.stdin.end()
    },
  }
}

/** A process that is gone needs none. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {}
}
