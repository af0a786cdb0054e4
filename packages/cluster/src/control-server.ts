/** Answers operators: what they may ask of a node over TCP, and nothing else of it. */
import { type ControlCommand, invalidOption, type NodeId, RaftError } from '@troupe/core'
import { type ConnectionRefusal, type FramedSocket, frameBuffers, parseAddress } from '@troupe/transport'
import { decodeQuestion, encodeAnswer } from './control-protocol.ts'
import type { FaultDesk } from './faults/fault-desk.ts'
import { checkFaultId, faultsNotAllowed } from './faults/fault-parts.ts'
import type { NodeStatus } from './node-control.ts'
import { checkNodeName, positive } from './options.ts'

/** The node, as far as operators reach it. */
export interface OperatedNode {
  readonly id: NodeId
  /** Undefined where the node was not started for faults. */
  readonly faultDesk: Pick<FaultDesk, 'inject' | 'list' | 'destroy'> | undefined
  status(): Promise<NodeStatus>
  digest(): Promise<{ readonly applied: number; readonly sha256: string }>
  command(command: ControlCommand, timeoutMs: number): Promise<void>
  addPeer(id: NodeId, address: string): void
  removePeer(id: NodeId): void
  /** Looks whether it was removed, and stops itself where that is so. */
  checkMembership(): Promise<boolean>
}

/** Questions of one operator that are not answered yet. */
const MAX_PENDING = 64

const COMMANDS: readonly ControlCommand['kind'][] = [
  'transferLeadership',
  'takeSnapshot',
  'changeMembers',
  'leaveJoint',
]

/**
 * Serves an operator's connection, until that is closed.
 * @param breakOff told why it is closed over what came, and closes it
 */
export function serveControl(
  connection: FramedSocket,
  node: OperatedNode,
  breakOff: (refusal: ConnectionRefusal) => void,
): void {
  let pending = 0
  const answer = async (bytes: Uint8Array): Promise<void> => {
    const question = decodeQuestion(bytes)
    if (question === undefined) return breakOff({ code: 'protocol', reason: 'not a question of an operator' })
    if (pending >= MAX_PENDING) return breakOff({ code: 'full', reason: `${MAX_PENDING} questions already` })
    const { id, method, argument } = question
    pending++
    let value: unknown
    let error: RaftError | undefined
    try {
      value = await ask(node, method, argument)
    } catch (thrown) {
      if (!(thrown instanceof RaftError)) throw thrown
      error = thrown
    } finally {
      pending--
    }
    connection.send(frameBuffers(encodeAnswer({ id, value, error })))
  }
  connection.handlers = {
    frame: (bytes) => {
      connection.drained()
      void answer(bytes)
    },
    broken: breakOff,
    closed: () => {},
  }
}

async function ask(node: OperatedNode, method: string, argument: unknown): Promise<unknown> {
  const given = (argument ?? {}) as Readonly<Record<string, unknown>>
  switch (method) {
    case 'status':
      return node.status()
    case 'digest':
      return node.digest()
    case 'command':
      return node.command(commandOf(given['command']), positive('timeoutMs', given['timeoutMs']))
    case 'addPeer': {
      const { id, address } = given
      checkNodeName('id', id)
      parseAddress(String(address))
      return node.addPeer(id, String(address))
    }
    case 'removePeer':
      checkNodeName('id', given['id'])
      return node.removePeer(given['id'])
    case 'checkMembership':
      return node.checkMembership()
    case 'injectFault':
      return deskOf(node).inject(given)
    case 'listFaults':
      return deskOf(node).list()
    case 'destroyFault': {
      const { id } = given
      if (id !== undefined) checkFaultId('id', id)
      return deskOf(node).destroy(id)
    }
    default: {
      const known =
        'status, digest, command, addPeer, removePeer, checkMembership, injectFault, listFaults or destroyFault'
      throw invalidOption('method', method, known)
    }
  }
}

/** @throws RaftError INVALID_OPTIONS where the node was not started for faults */
function deskOf({ id, faultDesk }: OperatedNode): NonNullable<OperatedNode['faultDesk']> {
  if (faultDesk === undefined) throw faultsNotAllowed(id)
  return faultDesk
}

/** What is in it the core looks at; another release may know other kinds. */
function commandOf(given: unknown): ControlCommand {
  const { kind, changes } = (given ?? {}) as Partial<Record<'kind' | 'changes', unknown>>
  if (!COMMANDS.includes(kind as ControlCommand['kind']))
    throw invalidOption('command.kind', kind, COMMANDS.join(', '))
  if (kind === 'changeMembers') checkChanges(changes)
  return given as ControlCommand
}

function checkChanges(changes: unknown): void {
  if (!Array.isArray(changes)) throw invalidOption('changes', changes, 'a list of changes')
  for (const change of changes) {
    const { kind, member, id } = (change ?? {}) as Partial<Record<'kind' | 'member' | 'id', unknown>>
    if (!['addLearner', 'promote', 'demote', 'remove'].includes(kind as string))
      throw invalidOption('changes.kind', kind, 'addLearner, promote, demote or remove')
    const added = (member ?? {}) as Partial<Record<'id' | 'incarnation', unknown>>
    checkNodeName('changes.id', kind === 'addLearner' ? added.id : id)
    if (kind === 'addLearner' && !Number.isSafeInteger(added.incarnation))
      throw invalidOption('changes.incarnation', added.incarnation, 'an integer')
  }
}
