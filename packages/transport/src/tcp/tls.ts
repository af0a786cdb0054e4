import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** `node:tls`, loaded once the first asks: a node without certificates starts a good deal sooner without it. */
export function tls(): typeof import('node:tls') {
  return process.getBuiltinModule('node:tls')
}

/** Whether what goes over this connection is encrypted. */
export function isSecured(socket: Socket): socket is TLSSocket {
  return 'encrypted' in socket && socket.encrypted === true
}
