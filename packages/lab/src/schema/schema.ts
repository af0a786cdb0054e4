/**
 * One description of a value, two uses: it reads what a file holds, and it writes the JSON Schema that editors complete by.
 * So what is accepted and what is published cannot differ.
 *
 *     record({ for: optional(duration) }) ─┬─► read: a value of that type, or problems, each with its path
 *                                          └─► json: { type: 'object', properties: … }
 */

/** Where in a document: keys and places of lists, from its root. */
export type Path = readonly (string | number)[]

/** Something that is not as it has to be. */
export interface Problem {
  readonly path: Path
  readonly value: unknown
  readonly expected: string
}

/** Takes problems; reading goes on, so that one call finds all of them. */
export type Report = (problem: Problem) => void

export type JsonSchema = Readonly<Record<string, unknown>>

export interface Schema<T> {
  /** What fits, in words. */
  readonly expected: string
  /** The value, as far as it fits: what does not is reported. */
  read(value: unknown, path: Path, report: Report): T
  /** Named parts are told to `define`, and referred to. */
  json(define: Define): JsonSchema
  /** Whether a field of it may be left out. */
  readonly isOptional?: true
}

export type Define = (name: string, schema: Schema<unknown>) => JsonSchema

export type Infer<S> = S extends Schema<infer T> ? T : never

type Fields = Readonly<Record<string, Schema<unknown>>>

interface Absentable {
  readonly isOptional: true
}

/** A schema whose field may be absent. */
export type Optional<T> = Schema<T> & Absentable

type ValueOf<F extends Fields> = {
  readonly [K in keyof F as F[K] extends Absentable ? never : K]: Infer<F[K]>
} & {
  readonly [K in keyof F as F[K] extends Absentable ? K : never]?: Infer<F[K]>
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What is read where the value does not fit: nobody sees it, since the problem is thrown in the end. */
const nothing = <T>(): T => undefined as T

function simple<T>(expected: string, json: JsonSchema, parse: (value: unknown) => T | undefined): Schema<T> {
  return {
    expected,
    json: () => json,
    read: (value, path, report) => {
      const parsed = parse(value)
      if (parsed === undefined) report({ path, value, expected })
      return parsed ?? nothing<T>()
    },
  }
}

/** A field that may be left out. */
export const optional = <T>(schema: Schema<T>): Optional<T> => ({ ...schema, isOptional: true })

/** The same, with a text for the editor. */
export function about<S extends Schema<unknown>>(description: string, schema: S): S {
  return { ...schema, json: (define: Define) => ({ ...schema.json(define), description }) }
}

/** Any text that is not empty. */
export const text: Schema<string> = simple('a text', { type: 'string', minLength: 1 }, (value) =>
  typeof value === 'string' && value !== '' ? value : undefined,
)

/** A text that a pattern fits; `parse` makes of it what is wanted. */
export function pattern<T>(
  expected: string,
  shape: RegExp,
  parse: (match: RegExpExecArray) => T | undefined,
): Schema<T> {
  return simple(expected, { type: 'string', pattern: shape.source }, (value) => {
    const match = typeof value === 'string' ? shape.exec(value) : null
    return match === null ? undefined : parse(match)
  })
}

export const flag: Schema<boolean> = simple('true or false', { type: 'boolean' }, (value) =>
  typeof value === 'boolean' ? value : undefined,
)

const rangeText = (what: string, least: number, most: number): string =>
  most === Number.MAX_SAFE_INTEGER ? `${what} of at least ${least}` : `${what} from ${least} to ${most}`

const rangeJson = (minimum: number, maximum: number): JsonSchema =>
  maximum === Number.MAX_SAFE_INTEGER ? { minimum } : { minimum, maximum }

export const integer = (least: number, most: number = Number.MAX_SAFE_INTEGER): Schema<number> =>
  simple(rangeText('an integer', least, most), { type: 'integer', ...rangeJson(least, most) }, (value) =>
    Number.isSafeInteger(value) && isWithin(value, least, most) ? (value as number) : undefined,
  )

export const number = (least: number, most: number = Number.MAX_SAFE_INTEGER): Schema<number> =>
  simple(rangeText('a number', least, most), { type: 'number', ...rangeJson(least, most) }, (value) =>
    isWithin(value, least, most) ? (value as number) : undefined,
  )

const isWithin = (value: unknown, least: number, most: number): boolean =>
  typeof value === 'number' && value >= least && value <= most

export const choice = <const Names extends readonly string[]>(...names: Names): Schema<Names[number]> =>
  simple(`one of ${names.join(', ')}`, { enum: names }, (value) =>
    names.includes(value as string) ? (value as Names[number]) : undefined,
  )

/** Names that are known only when they are asked for. */
export const named = (what: string, names: () => readonly string[]): Schema<string> => ({
  expected: what,
  json: () => ({ enum: names() }),
  read: (value, path, report) => {
    if (!names().includes(value as string)) report({ path, value, expected: `one of ${names().join('; ')}` })
    return value as string
  },
})

export function list<T>(item: Schema<T>, least = 0): Schema<readonly T[]> {
  const expected = least === 0 ? 'a list' : `a list of at least ${least}`
  return {
    expected,
    json: (define) => ({ type: 'array', items: item.json(define), ...(least > 0 && { minItems: least }) }),
    read: (value, path, report) => {
      if (!Array.isArray(value) || value.length < least) {
        report({ path, value, expected })
        return []
      }
      return value.map((one: unknown, at) => item.read(one, [...path, at], report))
    },
  }
}

/** A list with one item for each of the schemas. */
export function pair<T>(item: Schema<T>): Schema<readonly [T, T]> {
  const expected = `two values, each ${item.expected}`
  return {
    expected,
    json: (define) => ({ type: 'array', items: item.json(define), minItems: 2, maxItems: 2 }),
    read: (value, path, report) => {
      if (!Array.isArray(value) || value.length !== 2) {
        report({ path, value, expected })
        return nothing()
      }
      return [item.read(value[0], [...path, 0], report), item.read(value[1], [...path, 1], report)]
    },
  }
}

/** Any keys, with values of one kind. */
export function table<T>(value: Schema<T>, expected = 'an object'): Schema<Readonly<Record<string, T>>> {
  return {
    expected,
    json: (define) => ({ type: 'object', additionalProperties: value.json(define) }),
    read: (given, path, report) => {
      if (!isRecord(given)) {
        report({ path, value: given, expected })
        return {}
      }
      const entries = Object.entries(given)
      return Object.fromEntries(entries.map(([key, one]) => [key, value.read(one, [...path, key], report)]))
    },
  }
}

/** An object with these fields and no others. */
export function record<F extends Fields>(fields: F, expected = 'an object'): Schema<ValueOf<F>> {
  const names = Object.keys(fields)
  return {
    expected,
    json: (define) => ({
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(names.map((name) => [name, fields[name]?.json(define)])),
      required: names.filter((name) => fields[name]?.isOptional !== true),
    }),
    read: (value, path, report) => {
      if (!isRecord(value)) {
        report({ path, value, expected })
        return nothing()
      }
      reportUnknown(value, names, path, report)
      return readFields(fields, value, path, report) as ValueOf<F>
    },
  }
}

function reportUnknown(
  value: Readonly<Record<string, unknown>>,
  names: readonly string[],
  path: Path,
  report: Report,
): void {
  for (const name of Object.keys(value)) {
    if (names.includes(name)) continue
    report({ path: [...path, name], value: value[name], expected: `no such field; ${knownFields(names)}` })
  }
}

const knownFields = (names: readonly string[]): string =>
  names.length === 0 ? 'it has none' : `one of ${names.join(', ')}`

function readFields(
  fields: Fields,
  value: Readonly<Record<string, unknown>>,
  path: Path,
  report: Report,
): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(fields)) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined
    if (given === undefined && schema.isOptional) continue
    result[name] = schema.read(given, [...path, name], report)
  }
  return result
}

/** An object with exactly one field, whose name says what it is. */
export function oneField<F extends Fields>(what: string, fields: F): Schema<OneField<F>> {
  const names = Object.keys(fields)
  const expected = `${what}: an object with exactly one of ${names.join(', ')}`
  return {
    expected,
    json: (define) => ({
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      maxProperties: 1,
      properties: Object.fromEntries(names.map((name) => [name, fields[name]?.json(define)])),
    }),
    read: (value, path, report) => {
      const keys = isRecord(value) ? Object.keys(value) : []
      const [name = ''] = keys
      const schema = Object.hasOwn(fields, name) ? fields[name] : undefined
      if (!isRecord(value) || keys.length !== 1 || schema === undefined) {
        report({ path, value, expected })
        return nothing()
      }
      return { [name]: schema.read(value[name], [...path, name], report) } as OneField<F>
    },
  }
}

/** One of the objects with a single field. */
export type OneField<F extends Fields> = {
  [K in keyof F]: { readonly [L in K]: Infer<F[L]> }
}[keyof F]

/** The first that fits by its kind of value: what is no object is tried first. */
export function either<A, B>(
  isFirst: (value: unknown) => boolean,
  first: Schema<A>,
  second: Schema<B>,
): Schema<A | B> {
  return {
    expected: `${first.expected}, or ${second.expected}`,
    json: (define) => ({ anyOf: [first.json(define), second.json(define)] }),
    read: (value, path, report) => {
      if (isFirst(value)) return first.read(value, path, report)
      if (isRecord(value) || Array.isArray(value)) return second.read(value, path, report)
      report({ path, value, expected: `${first.expected}, or ${second.expected}` })
      return nothing()
    },
  }
}

/** Anything: who uses it looks for himself. */
export const anything: Schema<unknown> = { expected: 'anything', json: () => ({}), read: (value) => value }

/** A part with a name, which may contain itself. */
export function part<T>(name: string, expected: string, schema: () => Schema<T>): Schema<T> {
  return {
    expected,
    json: (define) => define(name, schema()),
    read: (value, path, report) => schema().read(value, path, report),
  }
}
