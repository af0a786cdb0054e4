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
  return open(frame, own, (message) => strangerIn(message, handshake, own.id))
}

/**
 * The messages of a frame that neighbours have passed on, all of them or none. It is `source`'s because they say so: its
 * start has shaken hands with them, not with this node; a late one of an earlier start is for the core to drop.
 */
export function openRelayedFrame(
  frame: Uint8Array,
  source: NodeId,
  own: Identity,
): readonly Message[] | string {
  return open(frame, own, ({ from, to }) => foreignIn(from, source, to, own.id))
}

function open(
  frame: Uint8Array,
  own: Identity,
  strangerOf: (message: Message) => string | undefined,
): readonly Message[] | string {
  const decoded = decodePeerFrame(frame)
  if (typeof decoded === 'string') return decoded
  if (decoded.group !== own.group) return `group ${decoded.group}`
  for (const message of decoded.messages) {
    const stranger = strangerOf(message)
    if (stranger !== undefined) return stranger
  }
  return decoded.messages
}

function strangerIn(message: Message, handshake: Handshake, own: NodeId): string | undefined {
  const { from, fromIncarnation, fromBoot, to } = message
  const foreign = foreignIn(from, handshake.from, to, own)
  if (foreign !== undefined) return foreign
  if (fromIncarnation !== handshake.incarnation) return `a message of incarnation ${fromIncarnation}`
  if (fromBoot !== handshake.boot) return `a message of boot ${fromBoot}`
  return undefined
}

function foreignIn(from: NodeId, source: NodeId, to: NodeId, own: NodeId): string | undefined {
  if (from !== source) return `a message from ${show(from)}`
  return to === own ? undefined : `a message to ${show(to)}`
}
