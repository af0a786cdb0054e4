/** The proof itself, with a log that is tampered with between two kills: it has to notice. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ProofResult, prove } from './proof.ts'

/** Kills after the 11th acknowledgement, after the 11th, and some time later. */
const SEED = 359

/** Kills three times; `tamper` is called after each, while nobody has the log open. */
async function proveWith(tamper: (kill: number, log: string, path: string) => void): Promise<ProofResult> {
  const path = mkdtempSync(join(tmpdir(), 'troupe-proof-'))
  try {
    const { signal } = new AbortController()
    const log = join(path, 'log', '0')
    return await prove({
      path: join(path, 'log'),
      durability: 'flush-before-ack',
      kills: 3,
      seed: SEED,
      signal,
      onKill: ({ kills }) => tamper(kills, log, path),
    })
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

test('a log that keeps its promises is found to', async () => {
  const { counts, finding, undecided } = await proveWith(() => {})
  assert.deepEqual([finding, undecided], [undefined, undefined])
  assert.equal(counts.kills, 3)
  assert.ok(counts.acknowledged > 0)
})

test('a log that is put back from an older copy is found to have lost what came since', async () => {
  const { finding } = await proveWith((kill, log, path) => {
    if (kill === 1) cpSync(log, join(path, 'copy'), { recursive: true })
    if (kill !== 2) return
    rmSync(log, { recursive: true })
    cpSync(join(path, 'copy'), log, { recursive: true })
  })
  assert.deepEqual([finding?.kind, finding?.afterKill], ['missing', 2])
  assert.match(finding?.reason ?? '', /^opened again, /)
})
