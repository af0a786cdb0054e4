/** One thing in the file that is not as LMDB writes it. */
export interface LmdbDamage {
  /** Where it was found; 0 also stands for the file as a whole. */
  readonly page: number
  readonly reason: string
}

/** A truncated file has as much damage as entries. */
const MAX_LISTED = 1000

/** What was found, the first so many of it in words. */
export class DamageList {
  readonly listed: LmdbDamage[] = []
  count = 0

  add(page: number, reason: string): void {
    this.count++
    if (this.listed.length < MAX_LISTED) this.listed.push({ page, reason })
  }
}
