import type { Socket } from 'node:net'

/**
 * Breaks a connection off (RST), where that can be done.
 *
 * One whose end is on its way cannot be reset any more: Node.js then forgets the handle without closing it, and the process spins
 * for ever when it is to exit. It is closed instead, which with unread or unsent bytes comes to the same at the other end.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else socket.resetAndDestroy()
}
