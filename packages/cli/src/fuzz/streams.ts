/**
 * Streams that no node should fall over: each one sound up to somewhere, and then not.
 *
 *     before the handshake: noise, wrong versions, magics, clusters, checksums, half a hello, nothing, a byte a second
 *     behind a sound one:   truncated, oversized, damaged, nested, huge counts, out of order, mutated with sound checksums
 *     at the health port:   what is no HTTP, or only its beginning
 */
import { decodePeerFrame, encodeHandshake, isAside, streamFrameOf } from '@troupe/wire'
import type { Dice } from './dice.ts'
import {
  announcing,
  type FuzzRole,
  hugeCount,
  nested,
  peerBody,
  soundHello,
  soundPayload,
  strangerName,
} from './payloads.ts'

export type Door = 'node' | 'health'

export interface FuzzStream {
  readonly kind: string
  readonly door: Door
  /** Written one after the other, with pauses between them. */
  readonly parts: readonly Uint8Array[]
  readonly pauseMs: number
  /** The last that the sender does: say goodbye, break off, or wait to be closed. */
  readonly end: 'fin' | 'reset' | 'wait'
  /** Of a peer: the other connection of its link, opened first. */
  readonly companion: Uint8Array | undefined
  /** Whether it begins with a hello that fits. */
  readonly isPast: boolean
}

export interface FuzzTarget {
  readonly cluster: string
  readonly node: string
}

/** Of so many one is slow: such ones take seconds. */
const SLOW_ONE_OF = 100

export function fuzzStream(dice: Dice, target: FuzzTarget): FuzzStream {
  const share = dice.roll(100)
  if (share < 6) return healthStream(dice)
  return share < 34 ? strangerStream(dice, target) : guestStream(dice, target)
}

/** Whether it takes seconds by itself. */
export const isSlow = ({ end, pauseMs }: FuzzStream): boolean => end === 'wait' || pauseMs > 0

const stream = (kind: string, parts: readonly Uint8Array[], more: Partial<FuzzStream> = {}): FuzzStream => ({
  ...{ kind, parts, door: 'node', pauseMs: 0, end: 'fin', companion: undefined, isPast: false },
  ...more,
})

const text = (content: string): Uint8Array => Buffer.from(content, 'latin1')

// ---- before the handshake

const STRANGERS: Readonly<Record<string, (dice: Dice, target: FuzzTarget) => readonly Uint8Array[]>> = {
  noise: (dice) => [dice.bytes(1 + dice.roll(200))],
  'truncated hello': (dice, { cluster }) => {
    const frame = streamFrameOf(soundHello('client', cluster, dice))
    return [frame.subarray(0, 1 + dice.roll(frame.byteLength - 1))]
  },
  'damaged hello': (dice, { cluster }) => [dice.mutated(streamFrameOf(soundHello('client', cluster, dice)))],
  'mutated hello': (dice, { cluster }) => [streamFrameOf(dice.mutated(soundHello('client', cluster, dice)))],
  'oversized hello': (dice) => [announcing(4097 + dice.roll(2 ** 31)), dice.bytes(100)],
  'wrong version': (dice, { cluster }) => {
    const lowest = 100 + dice.roll(1000)
    const hello = {
      role: 'client',
      clusterId: cluster,
      groups: [0],
      from: 'fuzz',
      incarnation: 0,
      boot: 0,
    } as const
    const rest = { channel: 'all', link: 0, token: '', to: '' } as const
    return [streamFrameOf(encodeHandshake({ ...hello, ...rest }, { lowest, highest: lowest }))]
  },
  'wrong magic': (dice, { cluster }) => {
    const hello = Uint8Array.from(soundHello('client', cluster, dice))
    hello[2] = 0x58
    return [streamFrameOf(hello)]
  },
  'wrong cluster': (dice) => [streamFrameOf(soundHello('client', `other${dice.roll(9)}`, dice))],
  'wrong group': (dice, { cluster }) => [streamFrameOf(soundHello('client', cluster, dice, { groups: [7] }))],
  'name of the node': (dice, { cluster, node }) => [
    streamFrameOf(soundHello('peer', cluster, dice, { from: node, channel: 'urgent' })),
  ],
  'nested hello': (dice) => [streamFrameOf(nested(dice, 4096))],
  'huge count in hello': (dice) => [streamFrameOf(hugeCount(dice))],
  'empty frames': (dice) => Array.from({ length: 1 + dice.roll(20) }, () => streamFrameOf(new Uint8Array(0))),
  'frames before the hello': (dice, { cluster, node }) => [
    streamFrameOf(soundPayload(dice.of(['client', 'control', 'peer'] as const), 'a', node, dice)),
    streamFrameOf(soundHello('client', cluster, dice)),
  ],
  'another protocol': (dice) => [
    dice.of([
      text('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
      Buffer.from('160301020001000001fc0303', 'hex'),
      text('EHLO x\r\n'),
    ]),
  ],
}

function strangerStream(dice: Dice, target: FuzzTarget): FuzzStream {
  if (dice.roll(SLOW_ONE_OF / 2) === 0) return slowStranger(dice, target)
  const kind = dice.of(Object.keys(STRANGERS))
  const parts = STRANGERS[kind]?.(dice, target) ?? []
  return stream(kind, cut(dice, parts), { end: dice.roll(10) === 0 ? 'reset' : 'fin' })
}

function slowStranger(dice: Dice, { cluster }: FuzzTarget): FuzzStream {
  if (dice.roll(2) === 0) return stream('half-open', [], { end: 'wait' })
  const hello = streamFrameOf(soundHello('client', cluster, dice))
  const parts = Array.from({ length: 5 }, (_, at) => hello.subarray(at, at + 1))
  return stream('a byte a second', parts, { pauseMs: 1000, end: 'wait' })
}

// ---- behind it

/** What may come behind a hello; `frames` are payloads, `bytes` follow as they are. */
interface Behind {
  readonly frames?: readonly Uint8Array[]
  readonly bytes?: readonly Uint8Array[]
}

interface Guest {
  readonly role: FuzzRole
  readonly hello: Uint8Array
  readonly sound: Uint8Array
}

const MOST_NESTED_BYTES = 64 << 10

const GUESTS: Readonly<Record<string, (dice: Dice, guest: Guest) => Behind>> = {
  'truncated frame': (dice, { sound }) => {
    const frame = streamFrameOf(sound)
    return { bytes: [frame.subarray(0, 1 + dice.roll(frame.byteLength - 1))] }
  },
  'truncated payload': (dice, { sound }) => ({ frames: [sound.subarray(0, dice.roll(sound.byteLength))] }),
  oversized: (dice) => ({ bytes: [announcing((257 << 20) + dice.roll(2 ** 31)), dice.bytes(50)] }),
  'announced and not sent': (dice) => ({ bytes: [announcing(1000 + dice.roll(900_000)), dice.bytes(50)] }),
  'damaged frame': (dice, { sound }) => ({ bytes: [dice.mutated(streamFrameOf(sound))] }),
  'mutated, checksums fit': (dice, { role, sound }) => ({ frames: [harmless(role, dice.mutated(sound))] }),
  nested: (dice, { role }) => {
    const body = nested(dice, MOST_NESTED_BYTES)
    return { frames: [role === 'peer' ? peerBody(body, dice) : body] }
  },
  'huge count': (dice, { role }) => {
    const body = hugeCount(dice)
    return { frames: [role === 'peer' ? peerBody(body, dice) : body] }
  },
  'hello again': (_, { hello, sound }) => ({ frames: [hello, sound] }),
  noise: (dice) => ({ bytes: [dice.bytes(1 + dice.roll(300))] }),
  'sound, then noise': (dice, { sound }) => ({
    frames: [sound, sound],
    bytes: [dice.bytes(1 + dice.roll(60))],
  }),
  'many frames at once': (dice, { sound }) => ({
    frames: Array.from({ length: 50 + dice.roll(100) }, (_, at) =>
      at % 3 === 0 ? sound : new Uint8Array(0),
    ),
  }),
  nothing: () => ({}),
}

function guestStream(dice: Dice, target: FuzzTarget): FuzzStream {
  const { cluster, node } = target
  const role = dice.of(['client', 'client', 'control', 'peer'] as const)
  const from = strangerName(dice)
  const link = 1 + dice.roll(1e6)
  const identity = { boot: 1 + dice.roll(1e6), incarnation: 1 + dice.roll(1e6), link }
  const [channel, other] = dice.of([
    ['urgent', 'bulk'],
    ['bulk', 'urgent'],
  ] as const)
  const more = role === 'peer' ? { ...identity, from, channel } : {}
  const hello = soundHello(role, cluster, dice, more)
  const hasCompanion = role === 'peer' && dice.roll(3) > 0
  const companion = hasCompanion
    ? streamFrameOf(soundHello(role, cluster, dice, { ...identity, from, channel: other }))
    : undefined
  const kind = dice.of(Object.keys(GUESTS))
  const guest = { role, hello, sound: soundPayload(role, from, node, dice) }
  const { frames = [], bytes = [] } = GUESTS[kind]?.(dice, guest) ?? {}
  const isSlowOne = dice.roll(SLOW_ONE_OF) === 0
  const parts = [...frames.map(streamFrameOf), ...bytes]
  const end = isSlowOne ? 'wait' : dice.roll(10) === 0 ? 'reset' : 'fin'
  return stream(`${role}: ${kind}`, [streamFrameOf(hello), ...cut(dice, parts)], {
    end,
    companion,
    isPast: true,
  })
}

/** A peer's frame that is sound by chance is one of a peer that means harm: it is made unsound. */
function harmless(role: FuzzRole, payload: Uint8Array): Uint8Array {
  const isSound = role === 'peer' && !isAside(payload) && typeof decodePeerFrame(payload) !== 'string'
  return isSound ? payload.subarray(1) : payload
}

/** The same bytes, cut somewhere else. */
function cut(dice: Dice, parts: readonly Uint8Array[]): readonly Uint8Array[] {
  const whole = Buffer.concat(parts)
  if (dice.roll(2) === 0 || whole.byteLength < 2) return [whole]
  const at = 1 + dice.roll(whole.byteLength - 1)
  return [whole.subarray(0, at), whole.subarray(at)]
}

// ---- the health port

const REQUESTS: Readonly<Record<string, (dice: Dice) => Uint8Array>> = {
  'a proper request': (dice) =>
    text(
      `GET ${dice.of(['/livez', '/readyz', '/metrics', '/'])} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    ),
  noise: (dice) => dice.bytes(1 + dice.roll(300)),
  'half a request': () => text('GET /metrics HTTP/1.1\r\nhost: '),
  'long headers': (dice) => text(`GET / HTTP/1.1\r\nx: ${'y'.repeat(10_000 + dice.roll(30_000))}\r\n\r\n`),
  'a long path': (dice) =>
    text(`GET /${'a'.repeat(dice.roll(30_000))} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`),
  'a body without end': () =>
    text('POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\nabc'),
  'odd method': (dice) =>
    text(`${dice.of(['BREW', 'CONNECT x:1', 'PRI *'])} / HTTP/1.1\r\nhost: x\r\nupgrade: x\r\n\r\n`),
}

function healthStream(dice: Dice): FuzzStream {
  const kind = dice.of(Object.keys(REQUESTS))
  const request = REQUESTS[kind]?.(dice) ?? new Uint8Array(0)
  const end = dice.roll(SLOW_ONE_OF) === 0 ? 'wait' : 'fin'
  return stream(`health: ${kind}`, cut(dice, [request]), { door: 'health', end })
}
