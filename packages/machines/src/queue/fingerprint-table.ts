/**
 * Records found by a fingerprint: ids within the window, keys that have messages.
 *
 * Linear hashing (Litwin 1980): the table grows and shrinks by a few buckets with an insertion or a removal, so that none of
 * them takes long, however many records there are.
 */
import type { Fingerprint } from './fingerprint.ts'
import { PagedWords } from './paged-words.ts'

/** Where a record's own words begin: behind the fingerprint and the link to the next of the bucket. */
export const RECORD_BODY = 5
const CHAIN = 4
const FIRST_BUCKETS = 16
/** Buckets for each record at most. */
const SPARSENESS = 4

export class FingerprintTable {
  readonly records = new PagedWords()
  readonly buckets = new PagedWords()
  readonly #recordWords: number
  #count = 0
  /** First freed record; further ones by their chain. */
  #freed = 0

  /** @param bodyWords of each record */
  constructor(bodyWords: number) {
    this.#recordWords = RECORD_BODY + bodyWords
    this.#begin()
  }

  #begin(): void {
    this.records.grow(this.#recordWords)
    this.buckets.grow(FIRST_BUCKETS)
  }

  get count(): number {
    return this.#count
  }

  get freed(): number {
    return this.#freed
  }

  restore(count: number, freed: number): void {
    this.#count = count
    this.#freed = freed
  }

  /** A word of a record's body. */
  get(record: number, field: number): number {
    return this.records.get(record * this.#recordWords + RECORD_BODY + field)
  }

  set(record: number, field: number, value: number): void {
    this.records.set(record * this.#recordWords + RECORD_BODY + field, value)
  }

  /** The record, or 0. */
  find(print: Fingerprint): number {
    let record = this.buckets.get(this.#bucketOf(print[0] as number))
    while (record !== 0 && !this.#isOf(record, print)) record = this.#word(record, CHAIN)
    return record
  }

  /** Adds a record with a body of zeros. There must be none with this fingerprint. */
  add(print: Fingerprint): number {
    const record = this.#allocate()
    for (let word = 0; word < RECORD_BODY - 1; word++) this.#setWord(record, word, print[word] as number)
    this.#chain(this.#bucketOf(print[0] as number), record)
    this.#count++
    if (this.#count > this.buckets.length) this.#split()
    return record
  }

  remove(record: number): void {
    this.#count--
    if (this.#count === 0) {
      this.records.clear()
      this.buckets.clear()
      this.#freed = 0
      this.#begin()
      return
    }
    this.#unchain(this.#bucketOf(this.#word(record, 0)), record)
    this.#setWord(record, CHAIN, this.#freed)
    this.#freed = record
    // As many as keep the bound: it has fallen by so many.
    for (let merges = 0; merges < SPARSENESS && this.#isSparse; merges++) this.#merge()
  }

  get #isSparse(): boolean {
    return this.buckets.length > FIRST_BUCKETS && this.#count * SPARSENESS < this.buckets.length
  }

  #allocate(): number {
    const record = this.#freed
    if (record === 0) return this.records.grow(this.#recordWords) / this.#recordWords
    this.#freed = this.#word(record, CHAIN)
    for (let word = RECORD_BODY; word < this.#recordWords; word++) this.#setWord(record, word, 0)
    return record
  }

  #word(record: number, word: number): number {
    return this.records.get(record * this.#recordWords + word)
  }

  #setWord(record: number, word: number, value: number): void {
    this.records.set(record * this.#recordWords + word, value)
  }

  #isOf(record: number, print: Fingerprint): boolean {
    for (let word = 0; word < RECORD_BODY - 1; word++)
      if (this.#word(record, word) !== print[word]) return false
    return true
  }

  /** Buckets below `length - level` are split already: they go by one more bit. */
  #bucketOf(hash: number): number {
    const { length } = this.buckets
    const level = 2 ** (31 - Math.clz32(length))
    const bucket = (hash & (level * 2 - 1)) >>> 0
    return bucket < length ? bucket : bucket - level
  }

  #chain(bucket: number, record: number): void {
    this.#setWord(record, CHAIN, this.buckets.get(bucket))
    this.buckets.set(bucket, record)
  }

  #unchain(bucket: number, record: number): void {
    const next = this.#word(record, CHAIN)
    let before = this.buckets.get(bucket)
    if (before === record) {
      this.buckets.set(bucket, next)
      return
    }
    while (this.#word(before, CHAIN) !== record) before = this.#word(before, CHAIN)
    this.#setWord(before, CHAIN, next)
  }

  #split(): void {
    const added = this.buckets.grow(1)
    this.#spread(added - 2 ** (31 - Math.clz32(added)))
  }

  #merge(): void {
    const last = this.buckets.length - 1
    let record = this.buckets.get(last)
    this.buckets.shrink(1)
    while (record !== 0) {
      const next = this.#word(record, CHAIN)
      this.#chain(this.#bucketOf(this.#word(record, 0)), record)
      record = next
    }
  }

  /** Puts the records of a bucket where they belong now. */
  #spread(bucket: number): void {
    let record = this.buckets.get(bucket)
    this.buckets.set(bucket, 0)
    while (record !== 0) {
      const next = this.#word(record, CHAIN)
      this.#chain(this.#bucketOf(this.#word(record, 0)), record)
      record = next
    }
  }
}
