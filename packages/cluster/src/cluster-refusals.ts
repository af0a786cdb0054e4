/** What a cluster answers to what cannot be. */
import { invalidOption, type NodeId, RaftError } from '@troupe/core'

export function timedOut(what: string, timeoutMs: number): RaftError<'TIMEOUT'> {
  return new RaftError('TIMEOUT', `${what} within ${timeoutMs} ms`, { timeoutMs })
}

export function nothingToRestart(id: NodeId): RaftError<'INVALID_OPTIONS'> {
  return invalidOption(
    'id',
    id,
    "a node with a directory: with durability 'memory' nothing is left to restart from",
  )
}

export function shuttingDown(): RaftError<'SHUTTING_DOWN'> {
  return new RaftError('SHUTTING_DOWN', 'the cluster is stopping', { what: 'cluster' })
}
