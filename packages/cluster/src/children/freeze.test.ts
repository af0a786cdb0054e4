import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { POLL_MS, pause } from '../until.ts'
import { freeze } from './freeze.ts'

const BOUND_MS = 60_000
const isLinux = process.platform === 'linux'

/** Whether the process stands still, as the kernel has it. */
function isStopped(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')
}

async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + BOUND_MS
  while (!isSo()) {
    assert.ok(performance.now() < deadlineMs, 'in time')
    await pause(POLL_MS)
  }
}

/** Gives `run` a process that does nothing. */
async function withSleeper(run: (pid: number) => Promise<void>): Promise<void> {
  const sleeper = spawn('sleep', ['600'], { stdio: 'ignore' })
  const ended = once(sleeper, 'exit')
  try {
    await run(sleeper.pid as number)
  } finally {
    sleeper.kill('SIGKILL')
    await ended
  }
}

test('a process stands still until it is resumed', { skip: !isLinux && 'needs /proc' }, () =>
  withSleeper(async (pid) => {
    const frozen = freeze(pid)
    await until(() => isStopped(pid))
    frozen.resume()
    await until(() => !isStopped(pid))
    frozen.resume()
  }),
)

test('it goes on when whoever stopped it is killed', { skip: !isLinux && 'needs /proc' }, () =>
  withSleeper(async (pid) => {
    const url = new URL('./freeze.ts', import.meta.url).href
    const code = `const { freeze } = await import('${url}'); freeze(${pid}); setInterval(() => {}, 1000)`
    const stopper = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: 'ignore' })
    const ended = once(stopper, 'exit')
    await until(() => isStopped(pid))
    stopper.kill('SIGKILL')
    await ended
    await until(() => !isStopped(pid))
  }),
)
