/**
 * What an operator and a node say to each other over a connection of the role `control`: questions by number, each with
 * one answer.
 *
 *     [id, method, argument] ─►      ◄─ [id, true, value]  or  [id, false, error]
 */
import { RaftError, type WireError } from '@troupe/core'
import { codec } from '@troupe/wire'

export interface ControlQuestion {
  readonly id: number
  readonly method: string
  readonly argument: unknown
}

export interface ControlAnswer {
  readonly id: number
  readonly value: unknown
  readonly error: RaftError | undefined
}

export function encodeQuestion({ id, method, argument }: ControlQuestion): Uint8Array {
  return codec.encode([id, method, argument])
}

/** Undefined for what is none. */
export function decodeQuestion(bytes: Uint8Array): ControlQuestion | undefined {
  const fields = decoded(bytes)
  const [id, method, argument] = fields ?? []
  if (fields?.length !== 3 || !Number.isSafeInteger(id) || typeof method !== 'string') return undefined
  return { id: id as number, method, argument }
}

export function encodeAnswer({ id, value, error }: ControlAnswer): Uint8Array {
  return codec.encode(error === undefined ? [id, true, value] : [id, false, error.toWire()])
}

/** Undefined for what is none. */
export function decodeAnswer(bytes: Uint8Array): ControlAnswer | undefined {
  const fields = decoded(bytes)
  const [id, isDone, value] = fields ?? []
  if (fields?.length !== 3 || !Number.isSafeInteger(id) || typeof isDone !== 'boolean') return undefined
  if (isDone) return { id: id as number, value, error: undefined }
  const error = value as WireError | null
  if (typeof error?.code !== 'string' || typeof error.message !== 'string') return undefined
  return { id: id as number, value: undefined, error: RaftError.fromWire(error) }
}

function decoded(bytes: Uint8Array): unknown[] | undefined {
  try {
    const fields: unknown = codec.decode(bytes)
    return Array.isArray(fields) ? fields : undefined
  } catch {
    return undefined
  }
}
