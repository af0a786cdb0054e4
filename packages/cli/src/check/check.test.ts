import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { troupe } from '../in-process.fixture.ts'

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'troupe-check-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

function fileOf(name: string, ...lines: string[]): string {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

const stale = [
  'INFO  jepsen.util - 0 :invoke :write 1',
  'INFO  jepsen.util - :nemesis :info :start-partition n1',
  'INFO  jepsen.util - 0 :ok :write 1',
  'INFO  jepsen.util - 1 :invoke :write 2',
  'INFO  jepsen.util - 1 :ok :write 2',
  'INFO  jepsen.util - :nemesis :info :stop-partition nil',
  'INFO  jepsen.util - 0 :invoke :read nil',
  'INFO  jepsen.util - 0 :ok :read 1',
  'INFO  jepsen.util - 1 :invoke :read nil',
  'INFO  jepsen.util - 1 :ok :read 2',
]

describe('troupe check', () => {
  it('passes', async () => {
    const { code, stdout } = await troupe(
      'check',
      fileOf('good.log', ...stale.slice(0, 5)),
      '--model',
      'register',
    )
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^pass {2}.*good\.log: everything is what register allows\n {6}5 lines, 2 operations, 1 part, /,
    )
  })

  it('fails with the shortest prefix as a table, a page and JSON', async () => {
    const [html, json] = [join(folder, 'page.html'), join(folder, 'out.json')]
    const file = fileOf('stale.log', ...stale)
    const { code, stdout } = await troupe(
      'check',
      file,
      '--model',
      'cas-register',
      '--html',
      html,
      '--json',
      json,
    )
    assert.equal(code, 1)
    assert.match(stdout, /^fail {2}.*stale\.log: register: no order explains: read → 1\n/)
    const table = stdout.slice(stdout.indexOf('the shortest'))
    assert.equal(
      table.replace(/^.*\n/, '').trimEnd(),
      [
        'order  line  client  operation  from … to',
        '    1     1       0  write 1    0 … 2',
        '    2     4       1  write 2    3 … 4',
        '    ✗     7       0  read → 1   6 … 7',
        '',
        'before that answer the state can have been: 2',
      ].join('\n'),
    )
    const document = JSON.parse(readFileSync(json, 'utf8'))
    assert.equal(document.verdict, 'fail')
    assert.deepEqual([document.failure.prefixLength, document.failure.isShortest], [3, true])
    assert.deepEqual(document.faults, [{ text: 'partition n1', fromAt: 1, toAt: 5 }])
    const page = readFileSync(html, 'utf8')
    for (const part of ['class="bar impossible"', 'partition n1', 'read → 1', 'class="order"'])
      assert.ok(page.includes(part))
    assert.doesNotMatch(page, /(?:src|href)=/)
  })

  it('says unknown when it is out of its budget', async () => {
    const writes = Array.from({ length: 40 }, (_, index) => `${index} :invoke :write ${index}`)
    const returned = writes.map((line) => line.replace('invoke', 'ok'))
    const file = fileOf('hard.log', ...writes, ...returned, '0 :invoke :read nil', '0 :ok :read -1')
    const { code, stdout } = await troupe('check', file, '--model', 'register', '--budget', '300ms')
    assert.equal(code, 2)
    assert.match(stdout, /^unknown {2}.*: out of its budget of 0\.3 s/)
    assert.match(stdout, /--budget, --max-steps and --max-heap-mb give it more/)
  })

  it('refuses a file of 1 GB before it reads it', async () => {
    const file = fileOf('large.log', ...stale)
    truncateSync(file, 2 ** 30)
    const { code, stderr, stdout } = await troupe('check', file, '--model', 'register')
    assert.equal(code, 64)
    assert.match(stderr, /large\.log is 1024 MiB; expected at most 256 MiB; --max-mb raises it/)
    assert.equal(stdout, '')
  })

  const wrong: readonly (readonly [args: readonly string[], line: RegExp])[] = [
    [[], /FILE has no value; expected troupe check/],
    [['FILE'], /^troupe: --model is undefined; expected register or cas-register or kv or counter/],
    [['FILE', '--model', 'stack'], /^troupe: --model is "stack"; expected register or /],
    [['FILE', '--model', 'kv', '--budget', '60'], /^troupe: --budget is "60"; expected a time with its unit/],
    [
      ['FILE', '--model', 'kv', '--drained'],
      /^troupe: --drained is "kv"; expected --drained only with total-queue/,
    ],
    [
      ['FILE', '--model', 'register', '--initial', 'x'],
      /^troupe: --initial is "x"; expected a value of JSON/,
    ],
    [['no-such', '--model', 'kv'], /^troupe: FILE is "no-such"; expected a file that can be read \(ENOENT\)/],
    [
      ['FILE', '--model', 'counter'],
      /^troupe: .*bad\.log:2: f is "write"; expected add or increment or decrement or read\n$/,
    ],
    [
      ['EMPTY', '--model', 'kv'],
      /^troupe: .*empty\.log: the history is "1 lines without an operation"; expected/,
    ],
  ]
  for (const [args, line] of wrong) {
    it(`refuses ${args.join(' ')}`, async () => {
      const files = { FILE: fileOf('bad.log', 'a log', ...stale), EMPTY: fileOf('empty.log', 'a log') }
      const { code, stderr, stdout } = await troupe(
        'check',
        ...args.map((arg) => files[arg as keyof typeof files] ?? arg),
      )
      assert.match(stderr, line)
      assert.deepEqual([code, stdout], [64, ''])
    })
  }
})
