/** A RabbitMQ quorum queue: messages on a channel with publisher confirms, which come once a quorum has synced them. */
import { loadLibrary } from '../programs.ts'
import { bodyOf, type Connection, unknownOutcome } from './connection.ts'

export interface RabbitMqEndpoint {
  readonly host: string
  readonly port: number
  readonly queue: string
}

interface ConfirmChannel {
  assertQueue(queue: string, options: object): Promise<unknown>
  checkQueue(queue: string): Promise<unknown>
  publish(
    exchange: string,
    queue: string,
    body: Buffer,
    options: object,
    done: (error: unknown) => void,
  ): boolean
  purgeQueue(queue: string): Promise<{ readonly messageCount: number }>
  on(event: 'error', listener: (error: Error) => void): void
}

interface AmqpConnection {
  createConfirmChannel(): Promise<ConfirmChannel>
  on(event: 'error', listener: (error: Error) => void): void
  close(): Promise<void>
  readonly connection: { readonly serverProperties: { readonly version?: string } }
}

/** The face of amqplib that is used. */
interface Amqp {
  connect(url: object, socketOptions: { readonly noDelay: boolean }): Promise<AmqpConnection>
}

const persistent = { persistent: true }

async function open({ host, port }: RabbitMqEndpoint): Promise<AmqpConnection> {
  const { connect } = loadLibrary<Amqp>('amqplib')
  const connection = await connect({ protocol: 'amqp', hostname: host, port }, { noDelay: true })
  // Told to every command under way, through its callback.
  connection.on('error', () => {})
  return connection
}

async function openChannel(connection: AmqpConnection): Promise<ConfirmChannel> {
  const channel = await connection.createConfirmChannel()
  channel.on('error', () => {})
  return channel
}

export async function connectRabbitMq(endpoint: RabbitMqEndpoint, sizeBytes: number): Promise<Connection> {
  const { queue } = endpoint
  const connection = await open(endpoint)
  const channel = await openChannel(connection)
  const body = bodyOf(sizeBytes)
  const propose = (): Promise<void> =>
    new Promise((resolve, reject) => {
      channel.publish('', queue, body, persistent, (error) => {
        if (error === null || error === undefined) resolve()
        else reject(unknownOutcome(error))
      })
    })
  return {
    propose,
    countStored: async () => (await channel.purgeQueue(queue)).messageCount,
    close: () => connection.close(),
  }
}

/** Opens a connection and closes it again; the server's version. */
export function rabbitVersion(endpoint: RabbitMqEndpoint): Promise<string> {
  return withConnection(endpoint, async ({ connection }) => connection.serverProperties.version ?? 'unknown')
}

/** Makes the queue, with its leader at the node that is asked. */
export async function declareQuorumQueue(endpoint: RabbitMqEndpoint, replicas: number): Promise<void> {
  const kind = { 'x-queue-type': 'quorum', 'x-quorum-initial-group-size': replicas }
  await withConnection(endpoint, async (connection) =>
    (await openChannel(connection)).assertQueue(endpoint.queue, { durable: true, arguments: kind }),
  )
}

/** @throws where the node that is asked does not know the queue */
export async function checkQueue(endpoint: RabbitMqEndpoint): Promise<void> {
  await withConnection(endpoint, async (connection) =>
    (await openChannel(connection)).checkQueue(endpoint.queue),
  )
}

async function withConnection<Value>(
  endpoint: RabbitMqEndpoint,
  use: (connection: AmqpConnection) => Promise<Value>,
): Promise<Value> {
  const connection = await open(endpoint)
  try {
    return await use(connection)
  } finally {
    await connection.close()
  }
}
