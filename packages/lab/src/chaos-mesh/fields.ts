/** Reads what a manifest holds, field by field: what is asked for has a meaning, the rest is told to have none. */
import { invalidOption } from '@troupe/core'

/** A field of a manifest that means nothing here, and why. */
export interface IgnoredField {
  readonly field: string
  readonly reason: string
}

type Values = Readonly<Record<string, unknown>>

export class Fields {
  readonly #path: string
  readonly #values: Values
  readonly #ignored: IgnoredField[]
  readonly #seen = new Set<string>()

  /** @throws RaftError INVALID_OPTIONS for what is no object */
  constructor(path: string, value: unknown, ignored: IgnoredField[] = []) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw invalidOption(path, value, 'an object')
    this.#path = path
    this.#values = value as Values
    this.#ignored = ignored
  }

  get ignored(): readonly IgnoredField[] {
    return this.#ignored
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== null
  }

  path(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`
  }

  /** @throws RaftError INVALID_OPTIONS naming this field */
  refuse(name: string, expected: string): never {
    throw invalidOption(this.path(name), this.#values[name], expected)
  }

  raw(name: string): unknown {
    this.#seen.add(name)
    return this.#values[name] ?? undefined
  }

  /** An object in it; undefined where it is absent. */
  inside(name: string): Fields | undefined {
    const value = this.raw(name)
    return value === undefined ? undefined : new Fields(this.path(name), value, this.#ignored)
  }

  text(name: string): string | undefined {
    const value = this.raw(name)
    if (value === undefined || typeof value === 'string') return value
    if (typeof value === 'number') return String(value)
    return this.refuse(name, 'a text')
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    return choices.find((each) => each === value) ?? this.refuse(name, choices.join(', '))
  }

  needed<T>(name: string, value: T | undefined, expected: string): T {
    return value ?? this.refuse(name, expected)
  }

  names(name: string): readonly string[] | undefined {
    const value = this.raw(name)
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
    return this.refuse(name, 'a list of texts')
  }

  /** From 0 to 100, as a number or a text. */
  percent(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = Number(text.replace(/%$/, ''))
    return text !== '' && value >= 0 && value <= 100 ? value : this.refuse(name, 'a percentage from 0 to 100')
  }

  integer(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = Number(text)
    return text !== '' && Number.isSafeInteger(value) && value >= 0
      ? value
      : this.refuse(name, 'an integer that is not negative')
  }

  /** In ms, as Go writes it: 1h2m3.5s; with a sign where `isSigned`. */
  duration(name: string, isSigned = false): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const ms = goDurationMs(text)
    if (ms !== undefined && (isSigned || ms >= 0)) return ms
    return this.refuse(name, `a time with its units, such as 150ms, 2s, 1h30m${isSigned ? ' or -10m' : ''}`)
  }

  /** These have no meaning here, where they are given. */
  ignore(names: readonly string[], reason: string): void {
    for (const name of names) {
      this.#seen.add(name)
      if (this.has(name)) this.tell(name, reason)
    }
  }

  tell(name: string, reason: string): void {
    this.#ignored.push({ field: this.path(name), reason })
  }

  /** Whatever nobody has asked for. @throws RaftError INVALID_OPTIONS */
  end(): void {
    for (const name of Object.keys(this.#values))
      if (!this.#seen.has(name)) this.refuse(name, `one of the fields ${[...this.#seen].sort().join(', ')}`)
  }
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** Undefined for what is none. */
export function goDurationMs(text: string): number | undefined {
  const match = /^([+-]?)((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)$/.exec(text)
  if (match === null) return text === '0' ? 0 : undefined
  let sum = 0
  for (const [, amount, unit = ''] of (match[2] ?? '').matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(amount) * (UNIT_MS[unit] ?? 0)
  return match[1] === '-' ? -sum : sum
}
