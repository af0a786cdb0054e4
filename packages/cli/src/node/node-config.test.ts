import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { RaftError } from '@troupe/core'
import { parseOptions } from '../options.ts'
import { lineLogger } from './log-lines.ts'
import { nodeOptions, readNodeConfig } from './node-config.ts'

const nowhere = { write: () => true }

function read(args: readonly string[], env: Record<string, string> = {}) {
  const parsed = parseOptions(args, nodeOptions, 'troupe node')
  assert.ok(parsed.kind === 'values')
  const { signal } = new AbortController()
  return readNodeConfig(parsed.values, { env, stdout: nowhere, stderr: nowhere, signal })
}

function withFile(text: string, run: (file: string, directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-config-'))
  const file = join(directory, 'node.yaml')
  writeFileSync(file, text)
  try {
    run(file, directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

test('a flag comes before a variable, a variable before the file', () => {
  const text =
    'id: file\ncluster: file\nlisten: file:1\ndirectory: data\nraft: { heartbeatMs: 7 }\nlogLevel: warn\n'
  withFile(text, (file, directory) => {
    const env = { TROUPE_CLUSTER: 'variable', TROUPE_LISTEN: 'variable:1', TROUPE_JOIN: 'true' }
    const { node, logging } = read(['--config', file, '--listen', 'flag:1'], env)
    assert.deepEqual(node, {
      id: 'file',
      cluster: 'variable',
      listen: 'flag:1',
      directory: join(directory, 'data'),
      raft: { heartbeatMs: 7 },
      join: true,
    })
    assert.deepEqual(logging, { level: 'warn', format: 'json' })
  })
})

test('peers and TLS files of flags; tokens of the environment', () => {
  const args = ['--peers', 'n1=a:1, n2=[::1]:2', '--tls-key', 'k', '--tls-certificate', 'c']
  const env = { TROUPE_CLIENT_TOKEN: 'x', TROUPE_TLS_AUTHORITY: 'a' }
  const { node } = read(args, env)
  assert.deepEqual(node.peers, { n1: 'a:1', n2: '[::1]:2' })
  assert.deepEqual(node.tls, { key: 'k', certificate: 'c', authority: 'a' })
  assert.deepEqual(node.tokens, { client: 'x' })
})

test('durability and limits of flags and variables; each limit from the first that names it', () => {
  withFile('limits: { maxClients: 1, maxHalfOpen: 2, clientWindow: { maxUnreadFrames: 3 } }\n', (file) => {
    const env = { TROUPE_LIMITS: 'maxClients=10,maxControls=4', TROUPE_DURABILITY: 'acked-before-flush' }
    const { node } = read(['--config', file, '--limits', 'maxControls=5, frameTimeoutMs=100'], env)
    assert.equal(node.durability, 'acked-before-flush')
    assert.deepEqual(node.limits, {
      ...{ maxClients: 10, maxHalfOpen: 2, maxControls: 5, frameTimeoutMs: 100 },
      clientWindow: { maxUnreadFrames: 3 },
    })
  })
})

test('mistakes: one line each', () => {
  const refusals: [string[], Record<string, string>, RegExp][] = [
    [['--limits', 'maxClients'], {}, /limits is "maxClients"; expected maxClients=2048,/],
    [['--limits', 'maxClients=many'], {}, /limits.maxClients is "many"; expected a whole number/],
    [['--config', '/nowhere/x.yaml'], {}, /--config is ".*"; expected a YAML file that can be read \(ENOENT/],
    [['--peers', 'n1'], {}, /peers is "n1"; expected n1=host:port/],
    [['--log-level', 'loud'], {}, /logLevel is "loud"; expected debug or info or warn or error/],
    [[], { TROUPE_JOIN: 'maybe' }, /TROUPE_JOIN is "maybe"; expected true or false/],
  ]
  for (const [args, env, expected] of refusals) {
    assert.throws(
      () => read(args, env),
      (error) => error instanceof RaftError && expected.test(error.message),
    )
  }
  for (const [text, expected] of [
    ['lisen: a:1', /lisen is "a:1"; expected one of id, cluster/],
    ['[1, 2', /a YAML file that can be read/],
    ['- 1', /a file of fields and values/],
  ] as const) {
    withFile(text, (file) => {
      assert.throws(() => read(['--config', file]), expected)
    })
  }
})

test('lines of a log, as JSON and for people, from a level on', () => {
  const lines: string[] = []
  const stream = { write: (text: string) => lines.push(text) }
  const now = (): string => '2026-01-02T03:04:05.678Z'
  for (const format of ['json', 'pretty'] as const) {
    const log = lineLogger({ level: 'info', format }, stream, now)
    log('debug', 'left out', {})
    log('warn', 'refused', { peer: 'n2', reason: 'a b', count: 2 })
  }
  assert.deepEqual(lines, [
    '{"time":"2026-01-02T03:04:05.678Z","level":"warn","event":"refused","peer":"n2","reason":"a b","count":2}\n',
    '03:04:05.678 warn  refused  peer=n2  reason="a b"  count=2\n',
  ])
})

test('a detail never stands in the place of level, event or time, and whatever a detail is becomes a line', () => {
  const lines: string[] = []
  const stream = { write: (text: string) => lines.push(text) }
  const log = lineLogger({ level: 'info', format: 'json' }, stream, () => 'now')
  log('warn', 'refused', { level: 'none', event: 'else', bytes: 2n ** 64n, error: new Error('why\nso') })
  assert.deepEqual(lines, [
    '{"time":"now","level":"warn","event":"refused","bytes":"18446744073709551616","error":"why\\nso"}\n',
  ])
})
