/** Every example runs as it stands, says what it should, and ends by itself. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { checkStateMachine } from '@troupe/machines'
import { codec, crc32 } from '@troupe/wire'
import { withDirectory } from './support.ts'

const examples = new URL('../examples/', import.meta.url)
const outputs: Readonly<Record<string, string>> = {
  'kv.ts': 'hello\n',
  'own-machine.ts': 'ada has 70\nrefused: bob has too little\nbob has 30\n',
  'client-in-worker.ts': 'acknowledged: 1000\nkeys: 1000\n',
  'email-sender.ts':
    'a duplicate: true\nsent to ada@example.org after 3 tries\ndead: 550 no such mailbox\n' +
    'carol@example.org, 4 failures: 550 no such mailbox\n',
  'image-job.ts':
    '64 x 100: mean 127.4\n128 x 100: mean 127.4\n192 x 100: mean 127.4\n256 x 100: mean 127.4\n',
  'ledger.ts': 'ada 210\nbob 210\neve 210\nat once: one for each account\ndead: 0\n',
}

for (const [name, expected] of Object.entries(outputs)) {
  test(`examples/${name}`, () =>
    withDirectory(async (directory) => {
      // As a user runs them: without what makes the tests start sooner.
      const env = { ...process.env, TMPDIR: directory, NODE_OPTIONS: '' }
      const file = fileURLToPath(new URL(name, examples))
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { env, timeout: 60_000 })
      assert.equal(stdout, expected)
      assert.equal(stderr, '')
      assert.deepEqual(readdirSync(directory), [], 'temporary directories were left behind')
    }))
}

test('the machine of the examples conforms', async () => {
  const { machine } = await import(new URL('bank-machine.ts', examples).href)
  const accounts = ['ada', 'bob', 'eve']
  const commands = Array.from({ length: 200 }, (_, at) => {
    const to = accounts[at % 3]
    const amount = (at * 7) % 40
    return at % 4 === 0
      ? { kind: 'deposit', to, amount }
      : { kind: 'transfer', from: accounts[(at + 1) % 3], to, amount }
  })
  const { faults, refusalCount } = checkStateMachine(machine, commands, {
    ...{ codec, checksum: crc32, queries: accounts },
  })
  assert.deepEqual(faults, [])
  assert.ok(refusalCount > 0)
})

test('no example is without a test', () => {
  // What others load: a machine, the work of a thread.
  const isModule = (name: string): boolean => /-(machine|blur)\.ts$/.test(name) && !(name in outputs)
  const found = readdirSync(examples).filter((name) => name.endsWith('.ts') && !isModule(name))
  assert.deepEqual(found.sort(), Object.keys(outputs).sort())
})

test('the README shows examples/kv.ts as it runs', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const [, shown] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  const [, ...lines] = readFileSync(new URL('kv.ts', examples), 'utf8').split('\n')
  assert.equal(shown, lines.join('\n'))
})
