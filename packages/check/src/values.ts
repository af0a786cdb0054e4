/**
 * Plain values: what operations carry. They are compared by content, shown in one line, and kept as JSON without
 * loss: what JSON has no form for becomes an object with one key that begins with `$`.
 */

/** Whether two plain values are the same: 0 is -0, NaN is NaN, bytes, arrays and objects by their content. */
export function sameValue(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object') return Number.isNaN(left) && Number.isNaN(right)
  if (left === null || right === null) return false
  if (left instanceof Uint8Array || Array.isArray(left)) {
    if (left instanceof Uint8Array ? !(right instanceof Uint8Array) : !Array.isArray(right)) return false
    return sameElements(left, right as ArrayLike<unknown>)
  }
  if (right instanceof Uint8Array || Array.isArray(right)) return false
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && sameValue(field(left, key), field(right, key)))
  )
}

function sameElements(left: ArrayLike<unknown>, right: ArrayLike<unknown>): boolean {
  if (left.length !== right.length) return false
  for (let index = 0; index < left.length; index++) {
    if (!sameValue(left[index], right[index])) return false
  }
  return true
}

function field(object: object, key: string): unknown {
  return (object as Readonly<Record<string, unknown>>)[key]
}

/** A text that two plain values have in common exactly if they are the same, and their keys are in the same order. */
export function textKey(value: unknown): string {
  if (typeof value === 'number') return String(value === 0 ? 0 : value)
  return JSON.stringify(toJson(value))
}

const MAX_SHOWN_LENGTH = 60

/** A plain value in one line, for people; cut where it is long. */
export function showValue(value: unknown): string {
  const text = shown(value)
  return text.length <= MAX_SHOWN_LENGTH ? text : `${text.slice(0, MAX_SHOWN_LENGTH - 1)}…`
}

function shown(value: unknown): string {
  if (value instanceof Uint8Array) return `0x${toHex(value)}`
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  if (value instanceof Map) return `{${[...value].map(([key, each]) => `${key}: ${shown(each)}`).join(', ')}}`
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, each]) => `${key}: ${shown(each)}`)
      .join(', ')}}`
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

/**
 * A plain value as one that JSON keeps without loss; {@link fromJson} is its inverse, but for views of bytes,
 * which come back as Uint8Array.
 *
 * @throws TypeError for what is not plain: a function, a symbol, an object of a class
 */
export function toJson(value: unknown): unknown {
  switch (typeof value) {
    case 'undefined':
      return { $undefined: true }
    case 'bigint':
      return { $bigint: String(value) }
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value
      return { $number: Object.is(value, -0) ? '-0' : String(value) }
    case 'string':
    case 'boolean':
      return value
    case 'object':
      return objectToJson(value)
    default:
      throw new TypeError(`a history cannot keep a ${typeof value}`)
  }
}

function objectToJson(value: object | null): unknown {
  if (value === null) return null
  if (value instanceof Uint8Array) return { $bytes: toHex(value) }
  if (Array.isArray(value)) return value.map(toJson)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) {
    throw new TypeError(`a history cannot keep an object of the class ${value.constructor.name}`)
  }
  // A key of theirs that begins like one of ours gets one more $.
  const escaped = (key: string): string => (key.startsWith('$') ? `$${key}` : key)
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [escaped(key), toJson(each)]))
}

/**
 * The plain value that {@link toJson} was given.
 *
 * @throws TypeError when an object has a key with one `$` that is none of ours
 */
export function fromJson(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.map(fromJson)
  const entries = Object.entries(json)
  const [first] = entries
  if (first !== undefined && /^\$(?!\$)/.test(first[0])) return untagged(first[0], first[1])
  const unescaped = (key: string): string => (key.startsWith('$') ? key.slice(1) : key)
  return Object.fromEntries(entries.map(([key, each]) => [unescaped(key), fromJson(each)]))
}

function untagged(tag: string, content: unknown): unknown {
  switch (tag) {
    case '$undefined':
      return undefined
    case '$bigint':
      return BigInt(String(content))
    case '$number':
      return Number(content)
    case '$bytes':
      return fromHex(String(content))
    default:
      throw new TypeError(`unknown kind of value: ${tag}`)
  }
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length >> 1 }, (_, index) =>
    Number.parseInt(text.slice(2 * index, 2 * index + 2), 16),
  )
}
