import { createHash, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Handshake, HandshakeRefusal } from '@troupe/wire'
import { certificateProblem } from './credentials.ts'
import { isSecured } from './tls.ts'

/** What proves a client or operator that has no certificate. */
export interface Tokens {
  readonly client?: string
  readonly control?: string
}

/**
 * Whether whoever spoke the handshake may have what it asks for; undefined where it may. A peer has to be who it says by its
 * certificate. A client or operator is let in by a certificate of the cluster's authority, or by the token of its role.
 * Where there is no TLS (on the loopback, or by `insecure`), a token is asked for only where one is set up.
 */
export function refusalOf(
  { role, from, token }: Handshake,
  socket: Socket,
  tokens: Tokens,
): HandshakeRefusal | undefined {
  const isSecure = isSecured(socket)
  if (role === 'peer') {
    const problem = isSecure ? certificateProblem(socket, from) : undefined
    return problem === undefined
      ? undefined
      : { code: 'certificate', reason: `${problem}, for node "${from}"` }
  }
  const expected = tokens[role]
  if (isSecure && certificateProblem(socket, undefined) === undefined) return undefined
  if (expected === undefined) {
    return isSecure ? { code: 'certificate', reason: `no certificate that holds, for a ${role}` } : undefined
  }
  if (isSameSecret(token, expected)) return undefined
  const reason = token === '' ? `a ${role} without a token` : `a ${role} with a wrong token`
  return { code: 'token', reason }
}

/** In a time that does not tell how much of it was right. */
function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}
