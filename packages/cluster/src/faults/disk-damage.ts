/**
 * What happens to the files of a node while nobody has them open: flipped bits, a torn last entry, an older state in the
 * place of the latest, nothing left at all.
 *
 * A copy of the state is taken by the node's own thread, in one go: no turn hands anything to the store meanwhile, and what is
 * in flight is one transaction of LMDB, which writes over nothing that the one before it needs.
 */
import {
  closeSync,
  cpSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Random } from '@troupe/core'
import type { DiskDamage } from '@troupe/faults'
import { indexOfKey, readLmdbFile, scanLog } from '@troupe/store'

/** Everything that a flush keeps. */
const STATE = ['log', 'snapshots', 'machine', 'log.made']
/** Copies that may take the place of the state, one for each fault. */
const COPIES = 'fault-copies'
const KEEP_IN_WIPED = 'faults.json'
/** Of entries that bits are flipped in, most are looked for in the file: not in one of a gigabyte. */
const MAX_FILE_BYTES = 256 << 20

/** Damages the log in a node's directory. Gives what came of it, for people. */
export function damageLog(
  directory: string,
  group: number,
  damage: { readonly mode: DiskDamage['mode']; readonly count?: number },
  random: Random,
): string {
  if (damage.mode === 'bit-flip')
    return `${flipBitsInLog(directory, group, damage.count ?? 1, random)} bits flipped`
  return tearLastEntry(directory, group) ? 'the last entry is torn' : 'there is no entry'
}

/** Flips `count` bits in entries that are flushed, each in another one as long as there are enough. Gives how many. */
export function flipBitsInLog(directory: string, group: number, count: number, random: Random): number {
  const entries = segmentFiles(directory, group).flatMap((file) => entriesOf(file))
  let flipped = 0
  for (; flipped < count && entries.length > 0; flipped++) {
    const [entry] = entries.splice(Math.floor(random.next() * entries.length), 1)
    if (entry === undefined) break
    flipBitIn(entry, random)
  }
  return flipped
}

/** Behind the head: what it says of itself stays true. */
function flipBitIn(entry: StoredEntry, random: Random): void {
  const at = Math.floor(entry.bytes.byteLength * (0.5 + random.next() / 2))
  overwrite(entry, at, Uint8Array.of((entry.bytes[at] ?? 0) ^ (1 << Math.floor(random.next() * 8))))
}

/** Flips a bit of the entry that stands `back` places before the last one. False where the log does not go so far. */
export function flipBitOfEntry(directory: string, group: number, back: number, random: Random): boolean {
  // A later segment shadows what an earlier one has of the same place.
  const byIndex = new Map<number, StoredEntry>()
  for (const file of segmentFiles(directory, group)) {
    const entries = entriesOf(file)
    const [first] = entries
    for (const index of byIndex.keys()) if (first !== undefined && index >= first.index) byIndex.delete(index)
    for (const entry of entries) byIndex.set(entry.index, entry)
  }
  const entry = byIndex.get(Math.max(...byIndex.keys()) - back)
  if (entry === undefined) return false
  flipBitIn(entry, random)
  return true
}

/** Flips one bit of the byte at `at`. */
export function flipBitInFile(file: string, at: number, random: Random): void {
  const descriptor = openSync(file, 'r+')
  try {
    const byte = new Uint8Array(1)
    readSync(descriptor, byte, 0, 1, at)
    byte[0] = (byte[0] as number) ^ (1 << Math.floor(random.next() * 8))
    writeSync(descriptor, byte, 0, 1, at)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** The last entry is there by half: the rest of it is zeros. False where there is none. */
export function tearLastEntry(directory: string, group: number): boolean {
  const entry = segmentFiles(directory, group)
    .flatMap((file) => entriesOf(file))
    .at(-1)
  if (entry === undefined) return false
  const half = entry.bytes.byteLength >> 1
  overwrite(entry, half, new Uint8Array(entry.bytes.byteLength - half))
  return true
}

/** Keeps the state as it is now, under that name. */
export function copyState(directory: string, name: string): void {
  const copy = join(directory, COPIES, name)
  for (const part of STATE) {
    const from = join(directory, part)
    if (existsSync(from)) cpSync(from, join(copy, part), { recursive: true })
  }
}

/** Puts that state back. False where there is no such copy. */
export function putStateBack(directory: string, name: string): boolean {
  const copy = join(directory, COPIES, name)
  if (!existsSync(copy)) return false
  for (const part of STATE) {
    rmSync(join(directory, part), { recursive: true, force: true })
    if (existsSync(join(copy, part))) renameSync(join(copy, part), join(directory, part))
  }
  dropCopy(directory, name)
  return true
}

export function dropCopy(directory: string, name: string): void {
  rmSync(join(directory, COPIES, name), { recursive: true, force: true })
}

export function dropCopies(directory: string): void {
  rmSync(join(directory, COPIES), { recursive: true, force: true })
}

/** Nothing of the node is left. */
export function wipeDirectory(directory: string): void {
  if (!existsSync(directory)) return
  for (const name of readdirSync(directory))
    if (name !== KEEP_IN_WIPED) rmSync(join(directory, name), { recursive: true, force: true })
}

/** Oldest first. */
function segmentFiles(directory: string, group: number): readonly string[] {
  const log = join(directory, 'log', String(group))
  if (!existsSync(log)) return []
  return scanLog(log)
    .segments.map(({ path }) => join(path, 'data.mdb'))
    .filter((file) => existsSync(file))
}

/** An entry's record, and the file it stands in. */
interface StoredEntry {
  readonly index: number
  readonly file: string
  readonly bytes: Uint8Array
}

function entriesOf(file: string): readonly StoredEntry[] {
  const entries: StoredEntry[] = []
  readLmdbFile(file, (key, value) => {
    const index = indexOfKey(key)
    if (index !== undefined) entries.push({ index, file, bytes: Uint8Array.from(value) })
  })
  return entries
}

/** In every copy of it that the file has: pages that are in use no more hold some too. */
function overwrite({ file, bytes }: StoredEntry, at: number, by: Uint8Array): void {
  const content = readFileSync(file)
  if (content.byteLength > MAX_FILE_BYTES) return
  const descriptor = openSync(file, 'r+')
  try {
    for (let found = content.indexOf(bytes); found >= 0; found = content.indexOf(bytes, found + 1))
      writeSync(descriptor, by, 0, by.byteLength, found + at)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
