/** NATS JetStream: each command is published and acknowledged by the stream's leader. */
import { loadLibrary } from '../programs.ts'
import { bodyOf, type Connection, unknownOutcome } from './connection.ts'

export interface JetStreamEndpoint {
  /** `host:port` of the stream's leader. */
  readonly address: string
  readonly stream: string
  readonly subject: string
}

/** The face of @nats-io/transport-node and @nats-io/jetstream that is used. */
export interface NatsConnection {
  drain(): Promise<void>
  close(): Promise<void>
}

export interface Nats {
  connect(options: { readonly servers: string; readonly reconnect?: boolean }): Promise<NatsConnection>
}

export interface StreamInfo {
  readonly state: { readonly messages: number }
  readonly cluster?: {
    readonly leader?: string
    readonly replicas?: readonly { readonly name: string; readonly current: boolean }[]
  }
}

export interface JetStreams {
  jetstream(
    connection: NatsConnection,
    options: { readonly timeout: number },
  ): {
    publish(subject: string, body: Uint8Array): Promise<unknown>
  }
  jetstreamManager(connection: NatsConnection): Promise<{
    readonly streams: {
      add(config: object): Promise<StreamInfo>
      info(stream: string): Promise<StreamInfo>
      purge(stream: string): Promise<unknown>
    }
  }>
}

const PUBLISH_TIMEOUT_MS = 10_000

export async function connectJetStream(endpoint: JetStreamEndpoint, sizeBytes: number): Promise<Connection> {
  const { connect } = loadLibrary<Nats>('@nats-io/transport-node')
  const { jetstream, jetstreamManager } = loadLibrary<JetStreams>('@nats-io/jetstream')
  const { address, stream, subject } = endpoint
  const connection = await connect({ servers: address, reconnect: false })
  const { streams } = await jetstreamManager(connection)
  const publisher = jetstream(connection, { timeout: PUBLISH_TIMEOUT_MS })
  const body = bodyOf(sizeBytes)
  return {
    propose: async () => {
      try {
        return await publisher.publish(subject, body)
      } catch (error) {
        throw unknownOutcome(error)
      }
    },
    countStored: async () => {
      const { state } = await streams.info(stream)
      await streams.purge(stream)
      return state.messages
    },
    close: () => connection.close(),
  }
}
