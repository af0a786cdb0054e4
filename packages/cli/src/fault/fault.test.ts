/** The commands at a node that runs in this process. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { NodeProcess } from '@troupe/cluster'
import { formatAddress } from '@troupe/transport'
import { runCli } from '../run-cli.ts'

const directory = mkdtempSync(join(tmpdir(), 'troupe-fault-'))
const file = join(directory, 'chaos.yaml')
let node: NodeProcess

before(async () => {
  node = await NodeProcess.start({
    id: 'n1',
    cluster: 'alone',
    directory: join(directory, 'n1'),
    allowFaults: true,
  })
})
after(async () => {
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function fault(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' }
  const stream = (to: keyof typeof said) => ({
    write: (text: string) => {
      said[to] += text
    },
  })
  const context = {
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    env: {},
    signal: new AbortController().signal,
  }
  const code = await runCli(['fault', ...args, '--connect', formatAddress(node.address)], context)
  return { code, ...said }
}

test('inject prints the id alone, list shows it, destroy ends it', async () => {
  const injected = await fault('inject', '--node', 'n1', '--disk', 'slow', '--by', '2ms', '--for', '1m')
  assert.match(injected.stdout, /^f-[0-9a-f]{8}\n$/)
  assert.equal(injected.stderr, 'storage slow by 2 ms at n1; for 60 s\n')
  const id = injected.stdout.trim()
  const listed = await fault('list')
  assert.match(
    listed.stdout,
    new RegExp(`^id +left +nodes +fault\\n${id} +\\d+ s +n1 +storage slow by 2 ms at n1\\n$`),
  )
  const document = JSON.parse((await fault('list', '--json', '-')).stdout)
  assert.deepEqual([document.faults[0].id, document.missing], [id, []])
  assert.deepEqual(await fault('destroy', id), { code: 0, stdout: `${id} has ended\n`, stderr: '' })
  const again = await fault('destroy', id)
  assert.equal(again.code, 64)
  assert.match(again.stderr, /^troupe: ID is "f-.*"; expected the id of a fault that lasts/)
  assert.deepEqual(await fault('list'), { code: 0, stdout: 'no fault lasts\n', stderr: '' })
  const unknown = await fault('inject', '--node', 'n7', '--pause')
  assert.deepEqual(unknown, { code: 64, stdout: '', stderr: 'troupe: node is "n7"; expected one of n1\n' })
})

const manifest = (kind: string, name: string, spec: string): string =>
  `apiVersion: chaos-mesh.org/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`

test('apply injects each manifest of a file, and names what has no meaning', async () => {
  const slow = manifest(
    'IOChaos',
    'slow',
    '{action: latency, mode: all, delay: 1ms, volumePath: /var, duration: 1m}',
  )
  const fast = manifest('TimeChaos', 'fast', '{mode: one, timeOffset: 1s}')
  writeFileSync(file, `${slow}---\n${fast}`)
  const applied = await fault('apply', file)
  assert.equal(applied.code, 0, applied.stderr)
  assert.match(applied.stdout, /^f-[0-9a-f]{8}\nf-[0-9a-f]{8}\n$/)
  assert.deepEqual(applied.stderr.split('\n'), [
    "slow: spec.volumePath has no meaning here: it is the log's store that is slow, full or failing",
    'slow: storage slow by 1 ms at n1; for 60 s',
    'fast: clock bump by 1000 ms at n1; over at once',
    '',
  ])
  const strict = await fault('apply', file, '--strict')
  assert.equal(strict.code, 64)
  assert.match(strict.stderr, /^troupe: slow: spec.volumePath is "given"; expected nothing with --strict/)
  await fault('destroy', 'all')
})

test('where a manifest is wrong nothing of its file happens', async () => {
  const slow = manifest('IOChaos', 'slow', '{action: latency, mode: all, delay: 1ms}')
  writeFileSync(file, `${slow}---\n${manifest('PodChaos', 'dead', '{mode: all, action: pod-melt}')}`)
  const refused = await fault('apply', file)
  assert.equal(refused.code, 64)
  assert.equal(
    refused.stderr,
    'troupe: spec.action is "pod-melt"; expected pod-kill, pod-failure, container-kill\n',
  )
  assert.equal((await fault('list')).stdout, 'no fault lasts\n')
})
