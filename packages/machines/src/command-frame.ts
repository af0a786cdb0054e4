/**
 * A command frame: some commands of one session, encoded once by their client. Entries are made of them, undecoded.
 *
 *     0  u32  bytes of the whole frame
 *     4  u32  commands in the payload
 *     8  f64  session; 0 asks for a new one, `first` is then a nonce
 *    16  f64  sequence number of the first command
 *    24  f64  confirmed: the client has the results of all commands up to here
 *    32  ...  payload: a msgpack array of the commands
 *
 * Sequence numbers count commands, from 1, without gaps. Numbers are little-endian.
 *
 * A frame of a session without commands says that the connection has closed which the session was last used by. Nodes write
 * it, never clients.
 */

export const COMMAND_FRAME_HEADER_BYTES = 32

/** The session number that asks for a session. */
export const NEW_SESSION = 0

export interface CommandFrame {
  readonly session: number
  readonly first: number
  readonly count: number
  readonly confirmed: number
  /** A view, not a copy. */
  readonly payload: Uint8Array
}

/** What a node puts into the log when the connection of a session has closed. */
export function closedConnectionFrame(session: number): Uint8Array {
  const bytes = new Uint8Array(COMMAND_FRAME_HEADER_BYTES)
  writeCommandFrame(bytes, 0, { session, first: 1, count: 0, confirmed: 0, payload: new Uint8Array(0) })
  return bytes
}

/** Writes a frame into `target` at `offset`; returns the offset behind it. */
export function writeCommandFrame(target: Uint8Array, offset: number, frame: CommandFrame): number {
  const bytes = COMMAND_FRAME_HEADER_BYTES + frame.payload.byteLength
  const view = new DataView(target.buffer, target.byteOffset + offset, COMMAND_FRAME_HEADER_BYTES)
  view.setUint32(0, bytes, true)
  view.setUint32(4, frame.count, true)
  view.setFloat64(8, frame.session, true)
  view.setFloat64(16, frame.first, true)
  view.setFloat64(24, frame.confirmed, true)
  target.set(frame.payload, offset + COMMAND_FRAME_HEADER_BYTES)
  return offset + bytes
}

/**
 * Reads the frames that `bytes` are made of. Returns the reason as a string where they do not fit: lengths, counts and
 * numbers are checked before anything enters the log.
 */
export function readCommandFrames(bytes: Uint8Array): CommandFrame[] | string {
  const frames: CommandFrame[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let offset = 0
  while (offset < bytes.byteLength) {
    const left = bytes.byteLength - offset
    if (left < COMMAND_FRAME_HEADER_BYTES) return `${left} bytes are left, too few for a frame`
    const length = view.getUint32(offset, true)
    if (length < COMMAND_FRAME_HEADER_BYTES || length > left) return `a frame of ${length} bytes in ${left}`
    const frame: CommandFrame = {
      count: view.getUint32(offset + 4, true),
      session: view.getFloat64(offset + 8, true),
      first: view.getFloat64(offset + 16, true),
      confirmed: view.getFloat64(offset + 24, true),
      payload: bytes.subarray(offset + COMMAND_FRAME_HEADER_BYTES, offset + length),
    }
    const complaint = complainAbout(frame)
    if (complaint !== undefined) return complaint
    frames.push(frame)
    offset += length
  }
  return frames
}

function complainAbout({ session, first, count, confirmed, payload }: CommandFrame): string | undefined {
  if (!Number.isSafeInteger(session) || session < 0) return `session ${session}`
  if (!Number.isSafeInteger(first) || first < 1) return `first sequence number ${first}`
  if (!Number.isSafeInteger(confirmed) || confirmed < 0 || confirmed >= first) return `confirmed ${confirmed}`
  if (session === NEW_SESSION)
    return count === 1 ? undefined : `${count} commands with the request for a session`
  if (count === 0) return payload.byteLength === 0 ? undefined : 'a payload without commands'
  // A msgpack value has at least one byte, and the array around them one more.
  if (count < 1 || count >= payload.byteLength) return `${count} commands in ${payload.byteLength} bytes`
  return undefined
}
