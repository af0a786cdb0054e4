/** A connection to the peer that a client's thread was born for. */
import type { ClientBirth } from '../client-protocol.ts'
import type { Connection } from './connection.ts'
import { connectEtcd, type EtcdEndpoint } from './etcd-client.ts'
import { connectJetStream, type JetStreamEndpoint } from './jetstream-client.ts'
import { connectLiferaft, type LiferaftEndpoint } from './liferaft-client.ts'
import { connectRabbitMq, type RabbitMqEndpoint } from './rabbitmq-client.ts'
import { connectRedis, type RedisEndpoint } from './redis-client.ts'

export async function connectPeer({ peer, endpoint, workload }: ClientBirth): Promise<Connection> {
  const { sizeBytes } = workload
  switch (peer) {
    case 'etcd':
      return connectEtcd(endpoint as EtcdEndpoint)
    case 'jetstream':
      return connectJetStream(endpoint as JetStreamEndpoint, sizeBytes)
    case 'rabbitmq':
      return connectRabbitMq(endpoint as RabbitMqEndpoint, sizeBytes)
    case 'redis':
      return connectRedis(endpoint as RedisEndpoint, sizeBytes)
    case 'liferaft':
      return connectLiferaft(endpoint as LiferaftEndpoint, sizeBytes)
  }
}
