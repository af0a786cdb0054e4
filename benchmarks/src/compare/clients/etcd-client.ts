/**
 * etcd over gRPC, to its leader: what its vendor's own benchmark calls `--target-leader`. gRPC is written down here, on
 * HTTP/2 of Node: a call of the usual library costs the client twice as much, and the peer would wait for it.
 */
import { once } from 'node:events'
import type { ClientHttp2Session } from 'node:http2'
import { type Connection, type SetCommand, turnedAway, unknownOutcome } from './connection.ts'
import { encodeCall } from './grpc-message.ts'

export interface EtcdEndpoint {
  /** `host:port` of the leader's client port. */
  readonly address: string
}

const PUT = {
  ':method': 'POST',
  ':path': '/etcdserverpb.KV/Put',
  'content-type': 'application/grpc',
  te: 'trailers',
} as const
const OK = '0'
const RESOURCE_EXHAUSTED = '8'

class EtcdConnection implements Connection {
  refused = 0
  readonly #address: string
  readonly #session: ClientHttp2Session
  #lastRevision: number

  constructor(address: string, session: ClientHttp2Session, revision: number) {
    this.#address = address
    this.#session = session
    this.#lastRevision = revision
  }

  propose([, key, value]: SetCommand): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request(PUT)
      stream.on('trailers', ({ 'grpc-status': status, 'grpc-message': message }) => {
        if (status === OK) return resolve()
        if (status !== RESOURCE_EXHAUSTED) return reject(unknownOutcome(message ?? status))
        this.refused++
        reject(turnedAway(String(message)))
      })
      stream.on('error', (error) => reject(unknownOutcome(error)))
      // Settles what ended without trailers.
      stream.on('close', () => reject(unknownOutcome('the stream was closed')))
      stream.resume()
      stream.end(encodeCall(key, value))
    })
  }

  async countStored(): Promise<number> {
    const revision = await revisionOf(this.#address)
    const stored = revision - this.#lastRevision
    this.#lastRevision = revision
    return stored
  }

  async close(): Promise<void> {
    this.#session.destroy()
  }
}

export async function connectEtcd({ address }: EtcdEndpoint): Promise<Connection> {
  // Not for everybody who measures something else: it loads much.
  const { connect } = await import('node:http2')
  const session = connect(`http://${address}`)
  // Told to every command under way, by its own stream.
  session.on('error', () => {})
  await once(session, 'connect')
  return new EtcdConnection(address, session, await revisionOf(address))
}

/** The store's revision: each put makes it one more. */
async function revisionOf(address: string): Promise<number> {
  const body = JSON.stringify({ key: Buffer.from('k').toString('base64') })
  const response = await fetch(`http://${address}/v3/kv/range`, { method: 'POST', body })
  const { header } = (await response.json()) as { readonly header: { readonly revision: string } }
  return Number(header.revision)
}
