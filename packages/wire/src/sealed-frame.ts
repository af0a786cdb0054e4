/**
 * A frame that tells whether it arrived as it was sent, for links that may change bytes and whose frames have no
 * checksum of their own.
 *
 *     0  u32  CRC-32 of what follows
 *     4  ...  the frame
 */
import { crc32 } from './crc32.ts'

const SEAL_BYTES = 4

/** Copies `bytes` once, behind their checksum, into memory of its own. */
export function sealFrame(bytes: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafeSlow(SEAL_BYTES + bytes.byteLength)
  sealed.writeUInt32LE(crc32(bytes), 0)
  sealed.set(bytes, SEAL_BYTES)
  return sealed
}

/** What was sealed, as a view of `sealed`; undefined where bytes are missing, added or changed. */
export function openFrame(sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.byteLength < SEAL_BYTES) return undefined
  const frame = sealed.subarray(SEAL_BYTES)
  const checksum = new DataView(sealed.buffer, sealed.byteOffset, SEAL_BYTES).getUint32(0, true)
  return crc32(frame) === checksum ? frame : undefined
}
