import { closeSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { realDisk, type SnapshotDisk } from '../src/snapshots/snapshot-disk.ts'

/** What a call of the disk ends with, if not as it should: an error code, or never. */
type Mishap = string | 'crash' | undefined

/** A file as a power loss leaves it: what was flushed of it. */
interface Inode {
  flushed: Buffer
}

/** What a crash leaves of names and of contents. */
export interface Remains {
  readonly names: 'all' | 'flushed'
  readonly contents: 'all' | 'flushed'
}

/** A real disk that fails, fills up, lies or stops on purpose, and that knows what a power loss would leave. */
export class FailingDisk implements SnapshotDisk {
  /** Asked before each call. */
  mishap: (call: keyof SnapshotDisk, path: string) => Mishap = () => undefined
  /** What is read is passed through it. */
  lie: (bytes: Uint8Array, path: string) => void = () => {}
  /** Calls so far. */
  calls = 0
  readonly crashed = Promise.withResolvers<void>()
  hasCrashed = false
  /** Never comes. */
  readonly end = new Promise<void>(() => {})
  readonly #open = new Map<number, { path: string; inode: Inode | undefined }>()
  readonly #names = new Map<string, Inode>()
  #flushedNames = new Map<string, Inode>()

  async create(path: string, isKept: boolean): Promise<number> {
    await this.#check('create', path)
    const file = await realDisk.create(path, isKept)
    const inode = this.#names.get(path) ?? { flushed: Buffer.alloc(0) }
    this.#names.set(path, inode)
    this.#open.set(file, { path, inode })
    return file
  }

  async open(path: string): Promise<number> {
    await this.#check('open', path)
    const file = await realDisk.open(path)
    this.#open.set(file, { path, inode: this.#names.get(path) })
    return file
  }

  /** A write that fails has written a part. */
  async write(file: number, buffers: readonly Uint8Array[], position: number): Promise<void> {
    try {
      await this.#check('write', this.#pathOf(file))
    } catch (error) {
      const part = Buffer.concat(buffers)
      await realDisk.write(file, [part.subarray(0, part.byteLength >> 1)], position)
      throw error
    }
    await realDisk.write(file, buffers, position)
  }

  async read(file: number, buffer: Uint8Array, position: number): Promise<number> {
    await this.#check('read', this.#pathOf(file))
    const count = await realDisk.read(file, buffer, position)
    this.lie(buffer, this.#pathOf(file))
    return count
  }

  async flush(file: number): Promise<void> {
    const path = this.#pathOf(file)
    await this.#check('flush', path)
    await realDisk.flush(file)
    const inode = this.#open.get(file)?.inode
    if (inode !== undefined) inode.flushed = readFileSync(path)
  }

  async flushNames(directory: string): Promise<void> {
    await this.#check('flushNames', directory)
    this.#flushedNames = new Map(this.#names)
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#check('rename', from)
    await realDisk.rename(from, to)
    const inode = this.#names.get(from)
    this.#names.delete(from)
    if (inode !== undefined) this.#names.set(to, inode)
  }

  async remove(path: string): Promise<void> {
    await this.#check('remove', path)
    await realDisk.remove(path)
    this.#names.delete(path)
  }

  async close(file: number): Promise<void> {
    await this.#check('close', this.#pathOf(file))
    this.#open.delete(file)
    await realDisk.close(file)
  }

  /** Closes what a store that was left behind by a crash had open. */
  abandon(): void {
    for (const file of this.#open.keys()) closeSync(file)
    this.#open.clear()
  }

  /** Writes to another directory what a crash now would leave of this one. */
  copyRemains(from: string, to: string, { names, contents }: Remains): void {
    mkdirSync(to, { recursive: true })
    // A draft may be flushed, and its name not: then power loss leaves nothing of it, or all of it.
    const left = names === 'all' ? this.#names : this.#flushedNames
    for (const [path, inode] of left) {
      if (dirname(path) !== from) continue
      const now = [...this.#names].find(([, other]) => other === inode)?.[0]
      const isAll = contents === 'all' && now !== undefined && existsSync(now)
      writeFileSync(join(to, basename(path)), isAll ? readFileSync(now) : inode.flushed)
    }
  }

  #pathOf(file: number): string {
    return this.#open.get(file)?.path ?? ''
  }

  async #check(call: keyof SnapshotDisk, path: string): Promise<void> {
    this.calls++
    const mishap = this.mishap(call, basename(path))
    if (mishap === undefined) return
    if (mishap !== 'crash') throw Object.assign(new Error(`${mishap}: ${call}`), { code: mishap })
    this.hasCrashed = true
    this.crashed.resolve()
    await this.end
  }
}
