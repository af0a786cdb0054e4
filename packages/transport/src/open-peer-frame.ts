import { type Identity, type Message, type NodeId, show } from '@troupe/core'
import { decodePeerFrame, type Handshake } from '@troupe/wire'

/**
 * The messages of a frame that came over a connection, all of them or none. A string is the reason why the connection is
 * not to be trusted any more: only what the very start of the node that shook hands has sent to this one may come over it.
 */
export function openPeerFrame(
  frame: Uint8Array,
  handshake: Handshake,
  own: Identity,
): readonly Message[] | string {
  const decoded = decodePeerFrame(frame)
  if (typeof decoded === 'string') return decoded
  if (decoded.group !== own.group) return `group ${decoded.group}`
  for (const message of decoded.messages) {
    const stranger = strangerIn(message, handshake, own.id)
    if (stranger !== undefined) return stranger
  }
  return decoded.messages
}

function strangerIn(message: Message, handshake: Handshake, own: NodeId): string | undefined {
  const { from, fromIncarnation, fromBoot, to } = message
  if (from !== handshake.from) return `a message from ${show(from)}`
  if (fromIncarnation !== handshake.incarnation) return `a message of incarnation ${fromIncarnation}`
  if (fromBoot !== handshake.boot) return `a message of boot ${fromBoot}`
  return to === own ? undefined : `a message to ${show(to)}`
}
