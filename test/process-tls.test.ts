/** Certificates of nodes in processes: changed while they run, and wrong from the beginning. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connect } from 'node:tls'
import { kv } from '@troupe/machines'
import { frameBuffers, parseAddress, TestAuthority, type TlsFiles, validFor } from '@troupe/transport'
import { encodeHandshake, helloOf } from '@troupe/wire'
import { certificatesFor, type NodeProcesses, withProcesses } from './node-processes.ts'
import { until } from './support.ts'

const three = ['n1', 'n2', 'n3']

/** The fingerprint of what a node shows to a new connection. */
async function shown({ peers }: NodeProcesses, id: string): Promise<string> {
  const { host, port } = parseAddress(peers[id] as string)
  const socket = connect({ host, port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}

const onDisk = ({ certificate }: TlsFiles): string =>
  new X509Certificate(readFileSync(certificate)).fingerprint256

describe('certificates that are replaced while nodes run', () => {
  it(
    'serve new connections; files that do not fit are told of and not used, and everything goes on',
    withProcesses(three, async (processes) => {
      const { directory } = processes
      const authority = new TestAuthority()
      const names = [...three, 'app']
      const files = certificatesFor(directory, names, authority)
      const more = (id: string) => ({ tls: files[id] as TlsFiles, certificateCheckMs: 20 })
      const nodes = three.map((id) => processes.launch(id, more(id)))
      await Promise.all(nodes.map((node) => node.started()))
      await using client = await processes.client({ tls: files['app'] as TlsFiles, timeoutMs: 60_000 })
      await client.propose(kv.set('a', 1))
      const before = await shown(processes, 'n1')
      certificatesFor(directory, names, authority)
      for (const node of nodes)
        await until(
          'the new files are in use',
          () => node.logged('certificate files have changed: they are in use').length > 0,
        )
      const renewed = onDisk(files['n1'] as TlsFiles)
      assert.notEqual(renewed, before)
      assert.equal(await shown(processes, 'n1'), renewed)
      // A node that starts now meets the others by the new ones.
      await processes.nodes.get('n3')?.end('SIGKILL')
      await processes.launch('n3', more('n3')).started()
      await client.propose(kv.set('a', 2))

      const [n1] = nodes as [(typeof nodes)[number]]
      // Files that were replaced one after the other may have been looked at in between.
      const { length } = n1.logged('changed certificate files do not fit: not used')
      const told = () => n1.logged('changed certificate files do not fit: not used').slice(length)
      writeFileSync((files['n1'] as TlsFiles).certificate, 'broken')
      await until('it says so', () => told().length > 0)
      assert.match(
        String(told()[0]?.['reason']),
        /tls\.certificate is ".*n1\.pem"; expected a certificate in PEM/,
      )
      assert.equal(await shown(processes, 'n1'), renewed)
      await using late = await processes.client({ tls: files['app'] as TlsFiles, timeoutMs: 60_000 })
      assert.equal((await late.query<{ value: number }>(kv.get('a'))).value, 2)
    }),
  )
})

describe('a certificate that is wrong', () => {
  it(
    'from the beginning is one clear error: expired, of another node, without its key, not there',
    withProcesses(['n1'], async (processes) => {
      const authority = new TestAuthority()
      const files = certificatesFor(processes.directory, ['n1', 'n2'], authority)
      const own = files['n1'] as TlsFiles
      const others = files['n2'] as TlsFiles
      const expired = join(processes.directory, 'expired.pem')
      const longAgo = validFor(1, new Date('2020-01-01'))
      const issued = authority.issue('n1', longAgo)
      writeFileSync(expired, issued.certificate)
      const cases: [TlsFiles, RegExp][] = [
        [
          { ...own, certificate: expired },
          /tls\.certificate is ".*"; expected one that holds; it ended on Jan {2}2 .* 2020/,
        ],
        [others, /tls\.certificate is ".*n2\.pem"; expected one with the node's id, n1, as its name/],
        [{ ...own, key: others.key }, /tls\.key is ".*n2\.key"; expected the key of .*n1\.pem/],
        [
          { ...own, authority: join(processes.directory, 'none') },
          /tls\.authority is ".*none"; expected a file .*ENOENT/,
        ],
      ]
      for (const [tls, expected] of cases) {
        const reason = await processes.launch('n1', { tls }).failed()
        assert.match(reason, expected)
        assert.match(reason, /^INVALID_OPTIONS: /)
      }
    }),
  )

  it(
    'because another authority has issued it is told at both ends',
    withProcesses(['n1', 'n2'], async (processes) => {
      const elsewhere = join(processes.directory, 'elsewhere')
      const own = certificatesFor(processes.directory, ['n1'])
      const strange = certificatesFor(elsewhere, ['n2'])
      const n1 = processes.launch('n1', { tls: own['n1'] as TlsFiles })
      const n2 = processes.launch('n2', { tls: strange['n2'] as TlsFiles })
      for (const node of [n1, n2])
        await until(`${node.id} says why it meets nobody`, () => {
          const lines = [...node.logged('connection refused'), ...node.logged('waiting for a founder')]
          const reasons = [node.failure, ...lines.map(({ reason }) => reason)]
          return reasons.some((reason) => /a certificate that does not hold/.test(String(reason)))
        })
    }),
  )
})

describe('a client of a future version', () => {
  it(
    'is told which versions are spoken here, and the node logs it',
    withProcesses(['n1'], async (processes) => {
      await processes.startAll()
      const hello = {
        ...helloOf({ clusterId: 'test', group: 0, id: 'app', incarnation: 1, boot: 1 }),
        role: 'client' as const,
      }
      const { host, port } = parseAddress(processes.peers['n1'] as string)
      const socket = connectPlain({ host, port })
      let heard = ''
      socket.on('data', (bytes) => {
        heard += bytes.toString('latin1')
      })
      for (const part of frameBuffers(encodeHandshake(hello, { lowest: 98, highest: 99 }))) socket.write(part)
      await once(socket, 'close')
      assert.match(heard, /protocol version 98 to 99, here it is \d/)
      const n1 = processes.nodes.get('n1')
      await until('the node says so', () =>
        (n1?.logged('connection refused') ?? []).some(({ code }) => code === 'version'),
      )
    }),
  )
})
