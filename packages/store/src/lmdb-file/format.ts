/**
 * LMDB's data file, as lmdb-js 3.5 writes it on 64-bit little-endian machines (format 2). Numbers are little-endian.
 *
 *     page 0   header, meta: root and counts of both trees as of transaction 2n      the newer one counts
 *     page 1   header, meta: the same as of transaction 2n + 1
 *     page 2.. branch:   header, u16 offset of each node, free space, nodes: child page, separator key
 *              leaf:     header, u16 offset of each node, free space, nodes: size, flags, key, value or reference
 *              overflow: header, one value; runs over as many pages as it needs, without further headers
 *              or free:  listed in the free list, a tree like the other one: transaction id -> page numbers
 *
 *     page header  u64 page, u64 transaction, u16, u16 flags, u16 lower, u16 upper (overflow: u32 pages)
 *     node header  u16 size, u16 size (child: both and the flags make its page), u16 flags, u16 key bytes
 *
 * `lower`, `upper` and the offsets of nodes count from the end of the page header. A page is never changed in place:
 * whoever changes one writes a new one and so all pages above it, so no page is newer than the one that names it.
 */

export const PAGE_HEADER_BYTES = 24
export const PAGE_TXN = 8
export const PAGE_FLAGS = 18
export const PAGE_LOWER = 20
export const PAGE_UPPER = 22
/** In the header of an overflow page. */
export const PAGE_RUN = 20

export const BRANCH_PAGE = 1
export const LEAF_PAGE = 2
export const OVERFLOW_PAGE = 4
export const META_PAGE = 8

export const NODE_HEADER_BYTES = 8
export const NODE_FLAGS = 4
export const NODE_KEY_BYTES = 6
/** The value stands on overflow pages; the node has u64 page, u64 transaction, u64 pages instead. */
export const OVERFLOW_NODE = 1
export const OVERFLOW_REFERENCE_BYTES = 24

export const FIRST_DATA_PAGE = 2
/** Depth of LMDB's cursors: it follows no deeper tree. */
export const MAX_DEPTH = 32

/** What one node may take with its header: two of them fit on a page. */
export const maxNodeBytes = (pageBytes: number): number => (((pageBytes - PAGE_HEADER_BYTES) >> 1) & ~1) - 2

/** A node must hold the key and the record of a named database. */
export const maxKeyBytes = (pageBytes: number): number => maxNodeBytes(pageBytes) - NODE_HEADER_BYTES - 48

export const even = (bytes: number): number => (bytes + 1) & ~1

/** Exact up to 2^53; what is larger is out of every range here, rounded or not. */
export const uint64 = (view: DataView, offset: number): number =>
  view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32

/** As `uint64`. */
export const int64 = (view: DataView, offset: number): number =>
  view.getUint32(offset, true) + view.getInt32(offset + 4, true) * 2 ** 32
