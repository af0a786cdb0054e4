/**
 * Values in EDN, as Clojure prints them and Jepsen writes its histories: as plain values. Keywords keep their colon, sets
 * and lists become arrays, tags are dropped.
 */

/** Reads the values of `text`, which are apart by white space and commas. @throws SyntaxError */
export function parseEdn(text: string): unknown[] {
  const reader = new EdnReader(text)
  const values: unknown[] = []
  for (let value = reader.next(); value !== END; value = reader.next()) values.push(value)
  return values
}

const END = Symbol('end')
const CLOSING: Readonly<Record<string, string>> = { '[': ']', '(': ')', '{': '}', '#{': '}' }
/** White space, then a text, an opening or closing sign, or an atom. */
const TOKEN = /[\s,]*(?:("(?:[^"\\]|\\.)*")|(#\{|[[({])|([\])}])|(#[\w./-]*)|([^\s,"[\](){}]+))/y
const ATOMS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['nil', null],
  ['true', true],
  ['false', false],
])

class EdnReader {
  readonly #text: string
  #at = 0
  /** What closed the list that is being read. */
  #closed: string | undefined

  constructor(text: string) {
    this.#text = text
  }

  next(): unknown {
    TOKEN.lastIndex = this.#at
    const match = TOKEN.exec(this.#text)
    if (match === null) {
      if (this.#text.slice(this.#at).trim() === '') return END
      throw new SyntaxError(`not a value of EDN: ${this.#text.slice(this.#at, this.#at + 20)}`)
    }
    this.#at = TOKEN.lastIndex
    const [, text, opening, closing, tag, atom] = match
    if (text !== undefined) return JSON.parse(text)
    if (opening !== undefined) return this.#listUntil(CLOSING[opening] as string, opening === '{')
    if (tag !== undefined) return this.next()
    if (atom !== undefined) return atomOf(atom)
    this.#closed = closing
    return END
  }

  #listUntil(closing: string, isMap: boolean): unknown {
    const values: unknown[] = []
    for (;;) {
      this.#closed = undefined
      const value = this.next()
      if (value === END) break
      values.push(value)
    }
    if (this.#closed !== closing) throw new SyntaxError(`expected ${closing} at the end of a list`)
    return isMap ? mapOf(values) : values
  }
}

function mapOf(values: readonly unknown[]): Readonly<Record<string, unknown>> {
  if (values.length % 2 !== 0) throw new SyntaxError('a map has a key without a value')
  const entries: [string, unknown][] = []
  for (let index = 0; index < values.length; index += 2)
    entries.push([String(values[index]), values[index + 1]])
  return Object.fromEntries(entries)
}

function atomOf(atom: string): unknown {
  if (ATOMS.has(atom)) return ATOMS.get(atom)
  if (/^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[NM]?$/.test(atom)) return Number(atom.replace(/[NM]$/, ''))
  return atom
}
