import { Packr } from 'msgpackr'

/**
 * Plain msgpack: no record extension and no shared structures, which only a decoder with the same history could
 * read. What stands on a wire or a disk must be readable by anyone.
 */
const packr = new Packr({ useRecords: false, moreTypes: false, largeBigIntToFloat: false })

/** Values to msgpack and back. */
export const codec = {
  /** Encodes into memory of its own: pack() gives a view of a slab that the next call may overwrite. */
  encode(value: unknown): Uint8Array {
    const view = packr.pack(value)
    const own = Buffer.allocUnsafeSlow(view.byteLength)
    own.set(view)
    return own
  },

  /** Encodes into a view that is valid until the next call. For what is copied into a larger frame at once. */
  encodeView(value: unknown): Uint8Array {
    return packr.pack(value)
  },

  /** Bytes inside the value are views of `bytes`. Throws on anything but exactly one value. */
  decode(bytes: Uint8Array): unknown {
    return packr.unpack(bytes)
  },
}
