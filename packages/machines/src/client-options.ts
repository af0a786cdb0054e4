import { type GroupId, invalidOption, type NodeId } from '@troupe/core'
import { MAX_COMMANDS_BYTES } from './protocol.ts'

/** The bounds of a client. */
export interface ClientOptions {
  readonly group: GroupId
  /** Commands without an answer; more get BUSY. @default 16,384 */
  readonly maxOutstandingCommands: number
  /** Bytes of one command, encoded; at most 16 MiB. @default 1 MiB */
  readonly maxCommandBytes: number
  /** Commands in one `proposeMany`, which go as one frame. @default 8192 */
  readonly maxBatchCommands: number
  /** Single commands that make a frame of their own, without waiting for the end of the turn. @default 1024 */
  readonly maxFrameCommands: number
  /** Queries without an answer; more get BUSY. @default 16,384 */
  readonly maxOutstandingQueries: number
  /** Silence after which everything unanswered is sent again. Doubles each time. @default 1000 */
  readonly retransmitMs: number
  /**
   * Commands go to this node instead of the leader, for it to forward them, which it does where the cluster's
   * `forwardProposals` is on. While there is no connection to it they wait. @default undefined
   */
  readonly via: NodeId | undefined
}

export const defaultClientOptions: Omit<ClientOptions, 'group'> = {
  maxOutstandingCommands: 16_384,
  maxCommandBytes: 1 << 20,
  maxBatchCommands: 8192,
  maxFrameCommands: 1024,
  maxOutstandingQueries: 16_384,
  retransmitMs: 1000,
  via: undefined,
}

/** Fills in defaults and checks the fields. @throws RaftError INVALID_OPTIONS */
export function resolveClientOptions(group: GroupId, given: Partial<ClientOptions> = {}): ClientOptions {
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  for (const [field, value] of Object.entries(present)) {
    if (!Object.hasOwn(defaultClientOptions, field)) {
      const known = Object.keys(defaultClientOptions).join(', ')
      throw invalidOption(`client.${field}`, value, `one of the options ${known}`)
    }
    if (field === 'via') {
      if (typeof value === 'string' && value !== '') continue
      throw invalidOption('client.via', value, 'the name of a node')
    }
    if (!Number.isSafeInteger(value) || (value as number) < 1) {
      throw invalidOption(`client.${field}`, value, 'a positive integer')
    }
  }
  const { maxCommandBytes = 0 } = present as Partial<ClientOptions>
  if (maxCommandBytes > MAX_COMMANDS_BYTES / 2) {
    throw invalidOption('client.maxCommandBytes', maxCommandBytes, `at most ${MAX_COMMANDS_BYTES / 2}`)
  }
  return { ...defaultClientOptions, ...present, group }
}
