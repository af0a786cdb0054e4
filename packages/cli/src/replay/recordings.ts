/** Recordings on the disk: which there are, and what they hold. */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { invalidOption } from '@troupe/core'
import { RECORDING_SUFFIX, RecordDecoder, type Recorded } from '@troupe/wire'

/** The recording of one start of a node. */
export interface RecordingPlace {
  readonly path: string
  readonly node: string
  readonly start: number
}

const CHUNK_BYTES = 1 << 20

/**
 * The recordings at `path`, a directory or a single one, by node and start.
 * @param node only of this one
 * @throws RaftError INVALID_OPTIONS where there are none
 */
export function recordingsAt(path: string, node: string | undefined): readonly RecordingPlace[] {
  const found = namesAt(path).flatMap((name) => placeOf(path, name))
  if (found.length === 0)
    throw invalidOption('DIR', path, `a directory with recordings (*${RECORDING_SUFFIX}), or one of them`)
  const wanted = node === undefined ? found : found.filter((place) => place.node === node)
  if (wanted.length === 0)
    throw invalidOption('--node', node, [...new Set(found.map((place) => place.node))].sort().join(' or '))
  return wanted.sort((left, right) => left.node.localeCompare(right.node) || left.start - right.start)
}

/** In a directory the names of its files; '' stands for the path itself. */
function namesAt(path: string): readonly string[] {
  try {
    return statSync(path).isDirectory() ? readdirSync(path) : ['']
  } catch (error) {
    throw invalidOption(
      'DIR',
      path,
      `a directory that can be read (${(error as NodeJS.ErrnoException).code})`,
    )
  }
}

function placeOf(folder: string, name: string): RecordingPlace[] {
  const path = name === '' ? folder : join(folder, name)
  const [, node, start] = /^(.+)\.(\d+)\.turns$/.exec(basename(path)) ?? []
  return node === undefined ? [] : [{ path, node, start: Number(start) }]
}

/** Records from front to back; {@link damage} and {@link isCutOff} say how it ended. */
export class RecordingFile {
  readonly #path: string
  readonly #decoder = new RecordDecoder()

  constructor(path: string) {
    this.#path = path
  }

  *records(): Generator<Recorded, undefined> {
    const descriptor = openSync(this.#path, 'r')
    try {
      for (;;) {
        // Anew each time: what is read are views of it.
        const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
        const bytes = readSync(descriptor, chunk)
        if (bytes === 0) return undefined
        yield* this.#decoder.push(chunk.subarray(0, bytes))
        if (this.#decoder.damage !== undefined) return undefined
      }
    } finally {
      closeSync(descriptor)
    }
  }

  get damage(): RecordDecoder['damage'] {
    return this.#decoder.damage
  }
  /** Whether it ends within a record: as a kill leaves it. */
  get isCutOff(): boolean {
    return this.#decoder.isCutOff
  }
  get bytesRead(): number {
    return this.#decoder.bytesRead
  }
}
