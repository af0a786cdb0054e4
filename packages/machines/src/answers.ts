/** Queries of one batch, asked of the machine: their answers, and what it refused. */
import { type Codec, refusalReason, type StateMachine } from './machine.ts'
import type { CommandError } from './outcome.ts'
import { type AnswersReply, type Consistency, type NodeReply, ReplyKind, type RowsReply } from './protocol.ts'

/** A batch of queries, and how it is going to be served. */
export interface AskedQueries {
  readonly id: number
  readonly consistency: Consistency
  readonly count: number
  /** Their msgpack array, as it came. */
  readonly queries: Uint8Array
}

/** The answers to a batch. */
export type QueriesReply = AnswersReply | RowsReply

/** Asks the machine. What it refuses, or cannot make sense of, is an error of that query. */
export function answersOf(machine: StateMachine, codec: Codec, asked: AskedQueries): QueriesReply {
  const { id, consistency, count } = asked
  try {
    const table = machine.queryPayload?.(asked.queries, count)
    if (table !== undefined) return [ReplyKind.rows, id, consistency, table.fields, table.rows]
  } catch (error) {
    return noAnswers(asked, refusalReason(error))
  }
  return askedOneByOne(machine, codec, asked)
}

function askedOneByOne(machine: StateMachine, codec: Codec, asked: AskedQueries): AnswersReply {
  const { id, consistency } = asked
  const queries = decodedQueries(codec, asked)
  if (queries === undefined) return noAnswers(asked, 'the query does not decode')
  const answers: unknown[] = []
  let errors: CommandError[] | null = null
  for (const query of queries) {
    try {
      answers.push(machine.query(query))
    } catch (error) {
      errors ??= []
      errors.push([answers.length, refusalReason(error)])
      answers.push(undefined)
    }
  }
  return [ReplyKind.answers, id, consistency, answers, errors]
}

function decodedQueries(codec: Codec, { count, queries }: AskedQueries): readonly unknown[] | undefined {
  try {
    const decoded = codec.decode(queries)
    return Array.isArray(decoded) && decoded.length === count ? decoded : undefined
  } catch {
    return undefined
  }
}

function noAnswers({ id, consistency, count }: AskedQueries, reason: string): AnswersReply {
  const errors = Array.from({ length: count }, (_, offset): CommandError => [offset, reason])
  return [ReplyKind.answers, id, consistency, new Array(count).fill(undefined), errors]
}

/** The same reply; one of answers with an error in the place of each answer that has no encoding. */
export function encodable(reply: NodeReply, codec: Codec): NodeReply {
  if (reply[0] !== ReplyKind.answers) return reply
  const [kind, id, served, answers, refusals] = reply
  const isUnsound = answers.map((answer) => !isEncodable(answer, codec))
  if (!isUnsound.includes(true)) return reply
  const errors: CommandError[] = [...(refusals ?? [])]
  for (const offset of isUnsound.keys()) {
    if (isUnsound[offset]) errors.push([offset, 'the answer of the machine cannot be encoded'])
  }
  return [kind, id, served, answers.map((answer, offset) => (isUnsound[offset] ? undefined : answer)), errors]
}

function isEncodable(answer: unknown, codec: Codec): boolean {
  try {
    codec.encode(answer)
    return true
  } catch {
    return false
  }
}
