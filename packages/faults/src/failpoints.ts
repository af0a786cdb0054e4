/**
 * Failpoints, with the terms of gofail: what a named place in the code does when it is come to.
 *
 *     2*off->1*panic            the third time it crashes, then never again
 *     50%sleep(100)             every second time, by chance, 100 ms
 *     1*return("EIO")->off      fails once
 *
 *     terms = term ("->" term)*      the first whose conditions hold is done
 *     term  = (PERCENT "%" | COUNT "*")* action [ "(" value ")" ]
 *     action = off | return | sleep | panic | print
 */
import { invalidOption, type Random } from '@troupe/core'
import { happens } from './chance.ts'

export type FailpointAction =
  | { readonly kind: 'off' }
  /** What the place makes of it is its own. */
  | { readonly kind: 'return'; readonly value: FailpointValue }
  | { readonly kind: 'sleep'; readonly forMs: number }
  | { readonly kind: 'panic'; readonly value: FailpointValue }
  | { readonly kind: 'print'; readonly value: FailpointValue }

export type FailpointValue = string | number | boolean | null

type Condition =
  | { readonly kind: 'percent'; readonly percent: number }
  | { readonly kind: 'count'; readonly count: number }

export interface FailpointTerm {
  /** All of them have to hold, in this order. */
  readonly conditions: readonly Condition[]
  readonly action: FailpointAction
}

const ACTIONS = ['off', 'return', 'sleep', 'panic', 'print']
const EXPECTED = 'terms of gofail, such as 2*off->1*panic, 50%sleep(100) or return("EIO")'

/** @throws RaftError INVALID_OPTIONS naming `field`, the term and what is expected */
export function parseFailpoint(field: string, text: unknown): readonly FailpointTerm[] {
  if (typeof text !== 'string' || text.trim() === '') throw invalidOption(field, text, EXPECTED)
  return cutTerms(text).map((term) => parseTerm(field, term.trim()))
}

/** At the arrows that stand in no text. */
function cutTerms(text: string): string[] {
  const terms: string[] = []
  let [from, isQuoted] = [0, false]
  for (let at = 0; at < text.length; at++) {
    if (isQuoted && text[at] === '\\') at++
    else if (text[at] === '"') isQuoted = !isQuoted
    else if (!isQuoted && text.startsWith('->', at)) {
      terms.push(text.slice(from, at))
      from = at + 2
    }
  }
  return [...terms, text.slice(from)]
}

function parseTerm(field: string, text: string): FailpointTerm {
  const conditions: Condition[] = []
  let rest = text
  for (;;) {
    const match = /^(\d+(?:\.\d+)?)([%*])/.exec(rest)
    if (match === null) break
    conditions.push(conditionOf(field, text, match))
    rest = rest.slice(match[0].length)
  }
  return { conditions, action: parseAction(field, text, rest) }
}

function conditionOf(field: string, term: string, [, amount, sign]: RegExpExecArray): Condition {
  const value = Number(amount)
  if (sign === '%') {
    if (value > 100) throw invalidOption(field, term, 'a chance from 0% to 100%')
    return { kind: 'percent', percent: value }
  }
  if (!Number.isSafeInteger(value)) throw invalidOption(field, term, 'a whole number before the *')
  return { kind: 'count', count: value }
}

function parseAction(field: string, term: string, text: string): FailpointAction {
  const [, kind = '', , given] = /^([a-z]+)\s*(\((.*)\))?$/s.exec(text) ?? []
  if (kind === 'break')
    throw invalidOption(field, term, `${ACTIONS.join(', ')}: there is no debugger to break into`)
  if (!ACTIONS.includes(kind)) throw invalidOption(field, term, EXPECTED)
  const value = readValue(field, term, given?.trim() ?? '')
  if (kind === 'sleep') return { kind, forMs: sleepMs(field, term, value) }
  return kind === 'off' ? { kind } : ({ kind, value } as FailpointAction)
}

function readValue(field: string, term: string, text: string): FailpointValue {
  if (text === '') return null
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^-?\d+$/.test(text)) return Number(text)
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'string') return value
  } catch {
    // Told below.
  }
  throw invalidOption(field, term, 'a value that is an integer, true, false or a text in double quotes')
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1000, m: 60_000 }
/** A node that sleeps longer is one that was stopped: there is a fault for that. */
const MAX_SLEEP_MS = 60_000

/** A number is in ms, a text has its unit. */
function sleepMs(field: string, term: string, value: FailpointValue): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(us|ms|s|m)$/.exec(String(value)) ?? []
  const ms = typeof value === 'number' ? value : Number(amount) * (UNIT_MS[unit] ?? Number.NaN)
  if (ms >= 0 && ms <= MAX_SLEEP_MS) return ms
  throw invalidOption(field, term, `a sleep of at most ${MAX_SLEEP_MS} ms, such as sleep(100) or sleep("1s")`)
}

/** The terms of one place, with what is left of their counts. */
export class Failpoint {
  readonly #terms: readonly { readonly term: FailpointTerm; readonly left: number[] }[]

  constructor(terms: readonly FailpointTerm[]) {
    this.#terms = terms.map((term) => {
      return { term, left: term.conditions.map((each) => (each.kind === 'count' ? each.count : 0)) }
    })
  }

  /** What is to be done this time; undefined where no term holds. */
  next(random: Random): FailpointAction | undefined {
    return this.#terms.find(({ term, left }) => holds(term, left, random))?.term.action
  }
}

/** A count goes down only where the conditions before it hold. */
function holds({ conditions }: FailpointTerm, left: number[], random: Random): boolean {
  return conditions.every((condition, place) => {
    if (condition.kind === 'percent') return happens(condition.percent, random)
    const count = left[place] ?? 0
    if (count > 0) left[place] = count - 1
    return count > 0
  })
}
