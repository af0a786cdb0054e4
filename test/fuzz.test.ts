/** Streams that are broken somewhere, at all ports of three processes that work meanwhile. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { isFull } from './support.ts'
import { TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
after(() => command.remove())

const streams = isFull ? 20_000 : 2000

interface Report {
  readonly faults: readonly string[]
  readonly streams: number
  readonly welcomed: number
  readonly hung: number
  readonly kinds: Readonly<Record<string, { readonly streams: number }>>
  readonly writer: { readonly acknowledged: number }
}

describe('troupe fuzz', () => {
  it(`of ${streams} streams: no node ends or grows, the client's writes are kept, what was refused was counted`, async () => {
    const path = join(command.scratch, 'report.json')
    const { code, stdout, stderr, left } = await command.run(
      'fuzz',
      '--streams',
      String(streams),
      '--json',
      path,
    )
    assert.equal(code, 0, stdout + stderr)
    assert.deepEqual(left, [])
    const report = JSON.parse(readFileSync(path, 'utf8')) as Report
    assert.deepEqual(report.faults, [])
    assert.equal(report.streams, streams)
    assert.ok(report.welcomed >= streams / 2, `${report.welcomed} got past the handshake`)
    assert.ok(report.writer.acknowledged > 0)
    const kinds = Object.keys(report.kinds)
    for (const kind of ['half-open', 'wrong version', 'nested hello', 'health: noise', 'peer: nested'])
      assert.ok(kinds.includes(kind), kind)
  })
})
