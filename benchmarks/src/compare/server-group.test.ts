/** With real processes: small ones of Node. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Bench } from '../bench.ts'
import { ServerGroup } from './server-group.ts'

const quiet = { write: () => {} }

/** A bench in a directory of its own. */
function benchFor(t: TestContext, signal = new AbortController().signal): Bench {
  const data = mkdtempSync(join(tmpdir(), 'troupe-servers-'))
  t.after(() => rmSync(data, { recursive: true, force: true }))
  return new Bench(
    { stdout: quiet, stderr: quiet, env: {}, signal },
    { data, usesDisk: false, expectedMs: 1 },
  )
}

/** Writes its process id and that of a child, then waits for ever. */
const family = `
const { spawn } = require('node:child_process')
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
require('node:fs').writeFileSync('pids', process.pid + ' ' + child.pid)
setInterval(() => {}, 1000)
`

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function pidsOf(servers: ServerGroup): Promise<number[]> {
  return servers.until('the pids are written', async () => {
    const pids = (await readFile(join(servers.directory, 'pids'), 'utf8')).split(' ').map(Number)
    return pids.length === 2 ? pids : undefined
  })
}

describe('servers', () => {
  test('end with the benchmark, and what they have started ends with them', async (t) => {
    const bench = benchFor(t)
    const servers = new ServerGroup(bench, 'family')
    servers.spawn('parent', process.execPath, ['-e', family])
    const pids = await pidsOf(servers)
    assert.deepEqual(pids.map(isAlive), [true, true])
    await bench[Symbol.asyncDispose]()
    // The child has nobody who waits for it: whoever adopts it takes a moment.
    await new ServerGroup(benchFor(t), 'none').until('both are gone', async () => !pids.some(isAlive))
  })

  test('end after Ctrl-C while they start', async (t) => {
    const interruption = new AbortController()
    const bench = benchFor(t, interruption.signal)
    const servers = new ServerGroup(bench, 'family')
    servers.spawn('parent', process.execPath, ['-e', family])
    const pids = await pidsOf(servers)
    const waiting = assert.rejects(
      servers.until('never', async () => false),
      { name: 'Interrupted' },
    )
    interruption.abort()
    await waiting
    await bench[Symbol.asyncDispose]()
    await new ServerGroup(benchFor(t), 'none').until('both are gone', async () => !pids.some(isAlive))
  })

  test('that end by themselves are told with the end of their log', async (t) => {
    await using bench = benchFor(t)
    const servers = new ServerGroup(bench, 'broken')
    servers.spawn('broken-1', process.execPath, ['-e', 'console.error("no such option"); process.exit(3)'])
    await assert.rejects(
      servers.until('never', async () => false),
      /^Error: broken-1 has ended \(3\)\n {2}broken-1: no such option$/,
    )
  })

  test('that cannot be started are told as well', async (t) => {
    await using bench = benchFor(t)
    const servers = new ServerGroup(bench, 'absent')
    servers.spawn('absent-1', join(bench.directory, 'no-such-program'), [])
    await assert.rejects(
      servers.until('never', async () => false),
      /^Error: absent-1 has ended \(it could not be started\)/,
    )
  })
})
