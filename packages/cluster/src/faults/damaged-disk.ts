/**
 * Faults of a node's files, which have to wait until nobody has them open: written down, then the process dies, and its next
 * start does it before it opens anything.
 *
 *     bit-flip, torn, wipe   dies now ─► at the next start
 *     lose-unflushed         a copy now; when its time is over, or the process dies before: the copy takes the place of
 *                            what was acknowledged meanwhile. Destroyed before: nothing is lost
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '@troupe/core'
import { lockDirectory } from '@troupe/store'
import { GROUP } from '../identities.ts'
import { copyState, damageLog, dropCopies, dropCopy, putStateBack, wipeDirectory } from './disk-damage.ts'
import type { DiskPart } from './fault-parts.ts'

export class DamagedDisk {
  readonly #directory: string
  readonly #random: Random

  constructor(directory: string, random: Random) {
    this.#directory = directory
    this.#random = random
  }

  /** The fault begins. Whether the process is to die at once. */
  begin(id: string, { effect }: DiskPart): boolean {
    if (effect.mode === 'lose-unflushed') copyState(this.#directory, id)
    return effect.mode !== 'lose-unflushed'
  }

  /** It was destroyed before it had happened. */
  cancel(id: string): void {
    dropCopy(this.#directory, id)
  }

  /** A node that was down until its fault was over has lost nothing. */
  tidy(): void {
    dropCopies(this.#directory)
  }

  /**
   * Nobody has the files open: it happens now. Gives for each of them what came of it.
   * @throws RaftError INVALID_DIRECTORY where somebody has
   */
  happen(damages: readonly { readonly id: string; readonly part: DiskPart }[]): readonly string[] {
    if (!existsSync(join(this.#directory, 'identity.json'))) return damages.map(() => 'there is no node yet')
    const lock = lockDirectory(this.#directory)
    try {
      return damages.map(({ id, part }) => this.#damage(id, part))
    } finally {
      lock.release()
      dropCopies(this.#directory)
    }
  }

  #damage(id: string, { effect }: DiskPart): string {
    const directory = this.#directory
    switch (effect.mode) {
      case 'bit-flip':
      case 'torn':
        return damageLog(directory, GROUP, effect, this.#random)
      case 'wipe':
        wipeDirectory(directory)
        return 'nothing is left'
      case 'lose-unflushed':
      case 'put-back':
        return putStateBack(directory, id) ? 'an older state was put back' : 'there is no older state'
    }
  }
}
