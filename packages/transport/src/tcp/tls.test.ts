import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { after, afterEach, describe, it } from 'node:test'
import { connect } from 'node:tls'
import { RaftError } from '@troupe/core'
import { encodeHandshake, type Hello, helloOf, streamFrameOf } from '@troupe/wire'
import { bearsName, Credentials, type TlsFiles } from './credentials.ts'
import { type DialFailure, dial } from './dial.ts'
import type { FramedSocket } from './framed-socket.ts'
import { CertificateFiles, FakeTimers, heartbeat, identityOf, RawSocket, until } from './tcp.fixture.ts'
import { TcpListener } from './tcp-listener.ts'
import { TcpTransport } from './tcp-transport.ts'
import { TestAuthority, validFor } from './test-authority.ts'

const files = new CertificateFiles()
after(() => files.remove())
const open: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

const past = validFor(1, new Date(Date.now() - 3 * 24 * 3600 * 1000))

/** Credentials whose own checks were passed before the files became what they are. */
async function forged(name: string, write: () => TlsFiles): Promise<Credentials> {
  const credentials = new Credentials(files.of(name))
  const forgedFiles = write()
  const { readFileSync } = await import('node:fs')
  const { createSecureContext } = await import('node:tls')
  const [cert, key, ca] = [forgedFiles.certificate, forgedFiles.key, forgedFiles.authority].map((path) =>
    readFileSync(path, 'utf8'),
  )
  const context = createSecureContext({
    cert: cert ?? '',
    key: key ?? '',
    ca: ca ?? '',
    minVersion: 'TLSv1.3',
  })
  Object.defineProperty(credentials, 'context', { value: context })
  return credentials
}

async function nodeOf(id: string, credentials: Credentials, tokens: { client?: string } = {}) {
  const identity = identityOf(id)
  const events: string[] = []
  let messageCount = 0
  const transport = new TcpTransport(
    { identity, credentials, backoff: { initialMs: 1, maxMs: 5 } },
    {
      message: () => {
        messageCount++
      },
      peerUp: (peer) => events.push(`up ${peer}`),
      peerGone: (peer) => events.push(`gone ${peer}`),
      refused: (peer, reason) => events.push(`refused ${peer}: ${reason}`),
    },
  )
  const listener = await TcpListener.open(
    { identity, credentials, tokens },
    {
      checkPeer: (handshake) => transport.checkPeer(handshake),
      peer: (framed, handshake) => transport.accept(framed, handshake),
      client: ({ kind }) => events.push(kind),
      refused: ({ code, reason }) => events.push(`turned away: ${code}, ${reason}`),
    },
  )
  open.push(async () => {
    await transport.close()
    await listener.close()
  })
  const saw = (pattern: RegExp): boolean => events.some((event) => pattern.test(event))
  return { identity, transport, listener, events, saw, messages: () => messageCount }
}

/** One attempt with these credentials. */
async function attempt(
  listener: TcpListener,
  change: Partial<Hello>,
  credentials: Credentials | undefined,
  expected?: string,
): Promise<{ failure?: DialFailure; connection?: FramedSocket }> {
  const result: { failure?: DialFailure; connection?: FramedSocket } = {}
  const hello: Hello = { ...helloOf(identityOf('n0')), channel: 'urgent', ...change }
  const cancel = dial(
    { address: listener.address, hello, credentials, expected },
    {
      opened: (connection) => {
        connection.handlers = { frame: () => {}, broken: () => {}, closed: () => {} }
        result.connection = connection
      },
      failed: (failure) => {
        result.failure = failure
      },
    },
  )
  open.push(() => {
    cancel()
    result.connection?.destroy()
  })
  await until(() => result.failure !== undefined || result.connection !== undefined)
  return result
}

const client: Partial<Hello> = { role: 'client', from: 'guest', channel: 'all' }

describe('TLS between nodes', { timeout: 20_000 }, () => {
  it('carries messages between nodes that prove their names', async () => {
    const a = await nodeOf('n1', new Credentials(files.of('n1'), 'n1'))
    const b = await nodeOf('n2', new Credentials(files.of('n2'), 'n2'))
    a.transport.addPeer('n2', b.listener.address)
    await until(() => a.saw(/up n2/) && b.saw(/up n1/))
    a.transport.send([heartbeat(a.identity, 'n2')])
    b.transport.send([heartbeat(b.identity, 'n1')])
    await until(() => a.messages() === 1 && b.messages() === 1)
    assert.deepEqual([a.events, b.events], [['up n2'], ['up n1']])
  })

  describe('refuses, and tells both ends,', () => {
    it('a peer with the certificate of another name', async () => {
      const b = await nodeOf('n2', new Credentials(files.of('n2')))
      const { failure } = await attempt(b.listener, {}, new Credentials(files.of('n5')), 'n2')
      assert.match(failure?.reason ?? '', /refused there: the certificate of "n5", for node "n0"/)
      assert.ok(b.saw(/turned away: certificate, the certificate of "n5", for node "n0"/))
    })

    it('a peer of another authority, and one whose time is up', async () => {
      const b = await nodeOf('n2', new Credentials(files.of('n2')))
      const other = new TestAuthority('somebody else')
      const cases: [name: string, credentials: Credentials, reason: RegExp][] = [
        ['other', await forged('n0', () => files.of('n0', other.issue('n0'))), /does not hold: [A-Z_]+/],
        [
          'late',
          await forged('n0', () => files.of('n0', files.authority.issue('n0', past))),
          /does not hold: CERT_HAS_EXPIRED/,
        ],
      ]
      for (const [name, credentials, reason] of cases) {
        const { failure } = await attempt(b.listener, {}, credentials, 'n2')
        assert.match(failure?.reason ?? '', reason, name)
        assert.match(b.events.at(-1) ?? '', reason, name)
      }
      assert.equal(b.listener.metrics.refusals.certificate, 2)
    })

    it('a node that answers with the certificate of another, before anything is said to it', async () => {
      const b = await nodeOf('n2', new Credentials(files.of('n5')))
      const { failure } = await attempt(
        b.listener,
        { token: 'secret' },
        new Credentials(files.of('n0')),
        'n2',
      )
      assert.match(failure?.reason ?? '', /the certificate of "n5", for node "n2"/)
      await until(() => b.saw(/turned away: remote, refused there: the certificate of "n5", for node "n2"/))
    })

    it('a node of another authority, and one whose time is up', async () => {
      const other = new TestAuthority('somebody else')
      const b = await nodeOf('n2', new Credentials(files.of('n2', other.issue('n2'), other)))
      const { failure } = await attempt(b.listener, {}, new Credentials(files.of('n0')), 'n2')
      assert.match(failure?.reason ?? '', /a certificate that does not hold: [A-Z_]+, for node "n2"/)
      await until(() => b.saw(/turned away: remote, refused there: a certificate that does not hold/))
    })

    it('a client with neither certificate nor token, and takes one with either', async () => {
      const b = await nodeOf('n2', new Credentials(files.of('n2')), { client: 'open sesame' })
      const anonymous = await forged('n0', () => files.of('n0', new TestAuthority('nobody').issue('n0')))
      assert.match(
        (await attempt(b.listener, client, anonymous)).failure?.reason ?? '',
        /a client without a token/,
      )
      const wrong = await attempt(b.listener, { ...client, token: 'guess' }, anonymous)
      assert.match(wrong.failure?.reason ?? '', /a client with a wrong token/)
      assert.ok((await attempt(b.listener, { ...client, token: 'open sesame' }, anonymous)).connection)
      assert.ok((await attempt(b.listener, client, new Credentials(files.of('alice')))).connection)
      assert.deepEqual(
        b.events.filter((event) => event === 'opened'),
        ['opened', 'opened'],
      )
      const strict = await nodeOf('n3', new Credentials(files.of('n3')))
      const refused = await attempt(strict.listener, { ...client, token: 'guess' }, anonymous)
      assert.match(refused.failure?.reason ?? '', /no certificate that holds, for a client/)
    })

    it('a plain client at a TLS port, and a TLS client at a plain one', async () => {
      const b = await nodeOf('n2', new Credentials(files.of('n2')))
      assert.match(
        (await attempt(b.listener, client, undefined)).failure?.reason ?? '',
        /closed before an answer|was reset/,
      )
      await until(() => b.listener.metrics.refusals.tls === 1)
      const plain = await TcpListener.open({ identity: identityOf('n3') }, { client: () => {} })
      open.push(() => plain.close())
      const { failure } = await attempt(plain, client, new Credentials(files.of('n0')))
      assert.equal(failure?.code, 'tls')
      await until(() => plain.metrics.refusals.damaged === 1)
    })

    it('a peer without a certificate', async () => {
      const b = await nodeOf('n2', new Credentials(files.of('n2')))
      const { port } = b.listener.address
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
      open.push(() => void socket.destroy())
      const hello = helloOf(identityOf('n1'), { channel: 'urgent' })
      socket.write(streamFrameOf(encodeHandshake(hello)))
      await until(() => b.saw(/turned away: certificate, no certificate, for node "n1"/))
    })

    it('an older TLS', async () => {
      const b = await nodeOf('n2', new Credentials(files.of('n2')))
      const { port } = b.listener.address
      const socket = connect({ host: '127.0.0.1', port, maxVersion: 'TLSv1.2', rejectUnauthorized: false })
      open.push(() => void socket.destroy())
      socket.on('error', () => {})
      await until(() => b.saw(/turned away: tls, no TLS came about: ERR_SSL_UNSUPPORTED_PROTOCOL/))
    })
  })

  it('is never resumed: what a certificate has proven does not outlive it', async () => {
    const b = await nodeOf('n2', new Credentials(files.of('n2')))
    const { context: secureContext } = new Credentials(files.of('n0'))
    const { port } = b.listener.address
    const once = async (session?: Buffer): Promise<{ session: Buffer | undefined; isReused: boolean }> => {
      let given: Buffer | undefined
      let isClosed = false
      const more = session === undefined ? {} : { session }
      const socket = connect({ host: '127.0.0.1', port, secureContext, rejectUnauthorized: false, ...more })
      socket.on('session', (each) => {
        given = each
      })
      socket.on('error', () => {})
      socket.resume()
      socket.on('close', () => {
        isClosed = true
      })
      let isReused = false
      socket.on('secureConnect', () => {
        isReused = socket.isSessionReused()
        socket.write('no handshake of ours')
      })
      await until(() => isClosed)
      return { session: given, isReused }
    }
    const first = await once()
    assert.equal((await once(first.session)).isReused, false)
  })

  it('is over in time for whoever does not go on with it', async () => {
    const timers = new FakeTimers()
    const listener = await TcpListener.open(
      { identity: identityOf('n2'), credentials: new Credentials(files.of('n2')), timers },
      {},
    )
    open.push(() => listener.close())
    const raw = new RawSocket(listener.address.port)
    await until(() => listener.metrics.halfOpen === 1)
    timers.advance(3000)
    await until(() => raw.isClosed)
    assert.equal(listener.metrics.refusals.timeout, 1)
    assert.equal(listener.metrics.halfOpen, 0)
  })
})

describe('credentials', { timeout: 20_000 }, () => {
  const isInvalid = (field: string, pattern: RegExp) => (error: unknown) =>
    RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === field && pattern.test(error.message)

  it('that do not fit are one clear error', () => {
    const sound = files.of('n1')
    const other = files.of('n2')
    const cases: [field: string, pattern: RegExp, files: TlsFiles, name?: string][] = [
      [
        'tls.certificate',
        /a file that can be read \(ENOENT\)/,
        { ...sound, certificate: `${sound.key}.none` },
      ],
      ['tls.key', /a file that can be read \(ENOENT\)/, { ...sound, key: `${sound.key}.none` }],
      ['tls.certificate', /a certificate in PEM/, { ...sound, certificate: sound.key }],
      ['tls.authority', /a certificate in PEM/, { ...sound, authority: sound.key }],
      ['tls.key', /the key of .*n1.pem/, { ...sound, key: other.key }],
      [
        'tls.certificate',
        /one that holds; it ended on/,
        files.of('late', files.authority.issue('late', past)),
      ],
      ['tls.certificate', /the node's id, n7, as its name/, sound, 'n7'],
    ]
    for (const [field, pattern, these, name] of cases) {
      assert.throws(() => new Credentials(these, name), isInvalid(field, pattern))
    }
  })

  it('are read again, for connections made from then on, while those that are open stay', async () => {
    const credentials = new Credentials(files.of('n2'), 'n2')
    const b = await nodeOf('n2', credentials)
    const trusting = new Credentials(files.of('alice'))
    const first = await attempt(b.listener, client, trusting)
    const other = new TestAuthority('the next one')
    assert.equal(await credentials.reload(), false)
    files.of('n2', other.issue('n2'), other)
    assert.equal(await credentials.reload(), true)
    const { failure } = await attempt(b.listener, client, trusting)
    assert.match(failure?.reason ?? '', /does not hold/)
    const second = await attempt(
      b.listener,
      client,
      new Credentials(files.of('bob', other.issue('bob'), other)),
    )
    assert.ok(second.connection)
    assert.equal(first.connection?.isClosed, false)
    assert.equal(b.listener.metrics.clients, 2)
  })

  it('in the middle of a change, or gone, are not used, and that is told once', async () => {
    const told: string[] = []
    const paths = files.of('n4')
    const timers = new FakeTimers()
    const credentials = new Credentials(paths, 'n4', {
      changed: () => told.push('changed'),
      failed: (reason) => told.push(reason),
    })
    credentials.watch(1000, timers)
    const before = credentials.context
    const next = files.authority.issue('n4')
    writeFileSync(paths.certificate, next.certificate)
    assert.equal(await credentials.reload(), false)
    assert.equal(await credentials.reload(), false)
    assert.equal(credentials.context, before)
    assert.match(told.join('; '), /^tls.key is "[^;]*; expected the key of [^;]*$/)
    rmSync(paths.key)
    assert.equal(await credentials.reload(), false)
    assert.match(told[1] ?? '', /ENOENT/)
    writeFileSync(paths.key, next.key)
    timers.advance(1000)
    await until(() => told.length === 3)
    assert.equal(told[2], 'changed')
    credentials.close()
    assert.equal(timers.count, 0)
  })

  it('bear a name as the common one or as a DNS name, letter for letter, and never by the way it is written', () => {
    assert.equal(bearsName({ subject: { CN: 'n1' } }, 'n1'), true)
    assert.equal(bearsName({ subject: {}, subjectaltname: 'DNS:n2, DNS:n1' }, 'n1'), true)
    assert.equal(bearsName({ subject: { CN: ['n2', 'n1'] } }, 'n1'), true)
    assert.equal(bearsName({ subject: { CN: 'n10' }, subjectaltname: 'DNS:n11, IP Address:n1' }, 'n1'), false)
    assert.equal(bearsName({ subject: {}, subjectaltname: 'DNS:"x, DNS:n1, DNS:y"' }, 'n1'), false)
    assert.equal(bearsName({ subject: {}, subjectaltname: 'DNS:*' }, 'n1'), false)
    assert.equal(bearsName({ subject: {} }, 'n1'), false)
  })
})
