/** `troupe queue` as an operator runs it: against a directory, and against a cluster of processes. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { withProcesses } from './node-processes.ts'
import { TroupeCommand } from './troupe-command.ts'

const command = new TroupeCommand()
after(() => command.remove())

/** The JSON that a command gives on stdout. */
const queueBy =
  (run: TroupeCommand['run']) =>
  async (place: readonly string[], word: string, ...args: readonly string[]) => {
    const { code, stdout, stderr, left } = await run('queue', word, 'jobs', ...args, ...place, '--json', '-')
    assert.equal(code, 0, stderr)
    assert.deepEqual(left, [])
    return JSON.parse(stdout)
  }

const queue = queueBy((...args) => command.runHere(...args))
const queueAsChild = queueBy((...args) => command.run(...args))

/** All that there is, once. */
async function useQueue(place: readonly string[]): Promise<void> {
  const file = join(command.scratch, 'lines.json')
  writeFileSync(file, '{"n":1}\n\n{"n":2}\n{"n":3}\n')
  assert.equal((await queueAsChild(place, 'send', '--file', file)).sent, 3)
  const data = ['--data', '"x"', '--id', 'x', '--key', 'k']
  assert.equal((await queue(place, 'send', ...data)).sent, 1)
  assert.equal((await queue(place, 'send', ...data)).duplicates, 1)
  await queue(place, 'pause')
  const { isPaused, messages } = await queue(place, 'stats')
  assert.deepEqual([isPaused, messages], [true, 4])
  assert.deepEqual((await queue(place, 'consume', '--wait', '300')).consumed, [])
  await queue(place, 'resume')
  const { consumed } = await queueAsChild(place, 'consume', '--count', '2')
  assert.deepEqual(
    consumed.map((each: { data: unknown }) => each.data),
    [{ n: 1 }, { n: 2 }],
  )
  const [first] = await queue(place, 'peek')
  assert.deepEqual([first.data, first.deliveries], [{ n: 3 }, 0])
  assert.equal((await queue(place, 'redrive')).redriven, 0)
  assert.equal((await queue(place, 'purge')).removed, 2)
  assert.equal((await queue(place, 'stats')).messages, 0)
}

describe('troupe queue', () => {
  test('on a directory', async () => {
    const directory = join(command.scratch, 'data')
    const none = await command.runHere('queue', 'stats', 'jobs', '--directory', directory)
    assert.equal(none.code, 64)
    assert.match(none.stderr, /--directory is .*; expected a directory that is there/)
    const place = ['--directory', directory]
    assert.equal((await queueAsChild(place, 'send', '--data', '{"n":1}')).sent, 1)
    const { consumed } = await queue(place, 'consume', '--keep')
    assert.deepEqual(consumed[0].data, { n: 1 })
    const [waiting] = await queue(place, 'peek')
    assert.deepEqual([waiting.data, waiting.deliveries], [{ n: 1 }, 1])
    const unknown = await command.runHere('queue', 'stats', 'job', '--directory', directory)
    assert.deepEqual([unknown.code, unknown.stdout], [64, ''])
    assert.match(unknown.stderr, /QUEUE is "job"; expected one of jobs/)
  })

  test(
    'on a cluster of processes',
    withProcesses(
      ['n1', 'n2', 'n3'],
      async (processes) => {
        await processes.startAll()
        await useQueue(['--connect', Object.values(processes.peers).join(',')])
      },
      () => ({ machine: 'queue' }),
    ),
  )
})
