/** What stands in frames: sound, and as it must not be. */
import { encodeClientFrame, kv } from '@troupe/machines'
import {
  ASIDE_TOPICS,
  codec,
  crc32,
  encodeAside,
  encodeHandshake,
  encodePeerFrame,
  type Hello,
  STREAM_HEADER_BYTES,
} from '@troupe/wire'
import type { Dice } from './dice.ts'

export type FuzzRole = 'client' | 'control' | 'peer'

/** Nodes of that name are no members; it is smaller than those of the cluster, and so it dials. */
export const strangerName = (dice: Dice): string => `a${dice.roll(1e9)}`

/** A hello that fits. */
export function soundHello(
  role: FuzzRole,
  cluster: string,
  dice: Dice,
  more: Partial<Hello> = {},
): Uint8Array {
  const own = { role, clusterId: cluster, groups: [0], boot: 1 + dice.roll(1e6), link: 0, token: '', to: '' }
  const from = role === 'peer' ? strangerName(dice) : 'fuzz'
  return encodeHandshake({ ...own, from, incarnation: 1 + dice.roll(1e6), channel: 'all', ...more })
}

/** What a node would take, or at least read to its end. */
export function soundPayload(role: FuzzRole, from: string, to: string, dice: Dice): Uint8Array {
  if (role === 'control') return codec.encode([dice.roll(1e6), dice.of(['status', 'digest']), undefined])
  if (role === 'peer') return peerPayload(from, to, dice)
  const isQuery = dice.roll(2) === 0
  const query = kv.get('nothing')
  const requests = [dice.roll(1e6), 0, codec.encode([query])]
  if (isQuery) return encodeClientFrame(0, [requests as never], [], codec)
  // Of no session that there is: it goes through the log, and is answered so.
  const payload = codec.encode([kv.set(`fuzz-${dice.roll(100)}`, dice.roll(1e6))])
  const frame = { session: 2 ** 40 + dice.roll(1e6), first: 1, count: 1, confirmed: 0, payload }
  return encodeClientFrame(0, [], [frame], codec)
}

/** Of term 0, which changes nothing: a peer that means harm is nothing that Raft withstands. */
function peerPayload(from: string, to: string, dice: Dice): Uint8Array {
  if (dice.roll(2) === 0) return encodeAside({ topic: ASIDE_TOPICS.status, body: [1, 0, 0, []] })
  const ends = { from, fromIncarnation: 1, fromBoot: 1, to, toIncarnation: 0, toBoot: 0, term: 0 }
  return encodePeerFrame(0, [{ kind: 'heartbeat', ...ends, commit: 0, round: 0 }])
}

/** Arrays in arrays, as many as the frame may have bytes. */
export function nested(dice: Dice, mostBytes: number): Uint8Array {
  const depth = 1 + dice.roll(mostBytes)
  const kind = dice.of([0x91, 0x81])
  const bytes = new Uint8Array(depth).fill(kind)
  // Maps need a key for each value.
  if (kind === 0x81) for (let at = 1; at < depth; at += 2) bytes[at] = 0x01
  return bytes
}

/** A count that no frame could hold the values of. */
export function hugeCount(dice: Dice): Uint8Array {
  const bytes = new Uint8Array(5 + dice.roll(40))
  // array 32, map 32, str 32, bin 32, ext 32.
  bytes[0] = dice.of([0xdd, 0xdf, 0xdb, 0xc6, 0xc9])
  const count = dice.of([0xffff_ffff, 0x7fff_ffff, 1 << 28, 1 << 24, 65_537])
  new DataView(bytes.buffer).setUint32(1, count)
  return bytes
}

/** The body of a frame beside the protocol, or of a message's header, in a peer's frame whose checksums fit. */
export function peerBody(body: Uint8Array, dice: Dice): Uint8Array {
  const frame = new Uint8Array(8 + body.byteLength)
  const view = new DataView(frame.buffer)
  view.setUint32(0, dice.roll(2) === 0 ? 0x8000_0000 + dice.roll(3) : body.byteLength, true)
  view.setUint32(4, crc32(body), true)
  frame.set(body, 8)
  return frame
}

/** A header that announces so many bytes, and is sound in itself. */
export function announcing(payloadBytes: number): Uint8Array {
  const header = new Uint8Array(STREAM_HEADER_BYTES)
  const view = new DataView(header.buffer)
  view.setUint32(0, payloadBytes, true)
  view.setUint32(8, crc32(header.subarray(0, 8)), true)
  return header
}
