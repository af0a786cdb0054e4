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
  readonly kinds: Readonly<Record<string, { readonly streams: number; readonly welcomed: number }>>
  readonly nodes: readonly { readonly refusals: Readonly<Record<string, number>> }[]
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
    // Each that the page of the command names; those behind a hello come from clients, operators and peers.
    for (const kind of ['half-open', 'a byte a second', 'wrong version', 'nested hello', 'oversized hello'])
      assert.ok(kinds.includes(kind), kind)
    for (const kind of ['truncated frame', 'oversized', 'nested', 'hello again', 'mutated, checksums fit'])
      assert.ok(kinds.includes(`client: ${kind}`) && kinds.includes(`peer: ${kind}`), kind)
    assert.ok(kinds.includes('frames before the hello') && kinds.includes('health: noise'))
  })

  it('of streams at ports that speak TLS, within it and as they are: the same', async () => {
    const path = join(command.scratch, 'tls.json')
    const more = ['--tls', '--streams', isFull ? '5000' : '400', '--json', path]
    const { code, stdout, stderr } = await command.run('fuzz', ...more)
    assert.equal(code, 0, stdout + stderr)
    const { kinds, nodes, writer } = JSON.parse(readFileSync(path, 'utf8')) as Report
    assert.ok(writer.acknowledged > 0)
    for (const { refusals } of nodes)
      assert.ok((refusals['tls'] ?? 0) > 0, 'what is no TLS is counted as such')
    const ofClients = Object.entries(kinds).filter(([kind]) => kind.startsWith('client: '))
    assert.ok(
      ofClients.some(([, { welcomed }]) => welcomed > 0),
      'whoever has a certificate gets in',
    )
    const plain = Object.entries(kinds).filter(([kind]) => kind.startsWith('plain: '))
    assert.ok(
      plain.length > 0 && plain.every(([, { welcomed }]) => welcomed === 0),
      'nobody gets in without TLS',
    )
  })
})
