/**
 * Options from the command line, by a table that also makes the help text. `parseArgs` cuts the arguments into tokens;
 * what they mean is decided here, so that each mistake gets one line that names field, value and what is expected.
 */
import { parseArgs } from 'node:util'
import type { OptionSpec, OptionTable, OptionValues } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core/errors'
import { missingValue, unknownWord } from './usage-error.ts'

export type Parsed<Table extends OptionTable> =
  | { readonly kind: 'help' }
  | { readonly kind: 'values'; readonly values: OptionValues<Table> }

/**
 * Parses `args` by `table`. Asked for help it looks no further.
 * @param commandPath what the user typed so far, for hints: `troupe bench throughput`
 * @throws RaftError INVALID_OPTIONS
 */
export function parseOptions<Table extends OptionTable>(
  args: readonly string[],
  table: Table,
  commandPath: string,
): Parsed<Table> {
  if (wantsHelp(args)) return { kind: 'help' }
  const values = new Map<string, unknown>()
  for (const token of tokensOf(args, table)) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') throw unknownWord('command', token.value, commandPath)
    const spec = Object.hasOwn(table, token.name) ? table[token.name] : undefined
    if (spec === undefined) throw unknownWord('flag', token.rawName, commandPath)
    const value = readValue(`--${token.name}`, spec, token.value)
    const isOneMore = spec.kind === 'texts'
    values.set(token.name, isOneMore ? [...((values.get(token.name) as unknown[]) ?? []), value] : value)
  }
  for (const [name, spec] of Object.entries(table)) {
    if (!values.has(name)) values.set(name, defaultOf(spec))
  }
  return { kind: 'values', values: Object.fromEntries(values) as OptionValues<Table> }
}

/** `--help` or `-h` anywhere before `--`. */
export function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  const before = end < 0 ? args : args.slice(0, end)
  return before.includes('--help') || before.includes('-h')
}

function tokensOf(args: readonly string[], table: OptionTable) {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { kind }]) => [
      name,
      { type: kind === 'flag' ? 'boolean' : 'string' } as const,
    ]),
  )
  // Not strict: its errors would not say what is expected, and it refuses `--size -5` before we can.
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens
}

function defaultOf(spec: OptionSpec): unknown {
  if (spec.kind === 'flag') return false
  if (spec.kind === 'texts') return []
  return 'default' in spec ? spec.default : undefined
}

function readValue(flag: string, spec: OptionSpec, given: string | undefined): unknown {
  if (spec.kind === 'flag') {
    if (given !== undefined) throw invalidOption(flag, given, 'no value')
    return true
  }
  // `--json --rig`: the value was forgotten. No value of ours begins with two dashes.
  if (given === undefined || given === '' || given.startsWith('--'))
    throw missingValue(flag, expectedOf(spec))
  switch (spec.kind) {
    case 'text':
    case 'texts':
      return given
    case 'choice':
      if (!spec.choices.includes(given)) throw invalidOption(flag, given, expectedOf(spec))
      return given
    case 'integers':
    case 'numbers':
      return given.split(',').map((part) => numberOf(flag, spec, part.trim(), given))
    default:
      return numberOf(flag, spec, withoutPercentSign(spec, given), given)
  }
}

/** `--load 50%` is what people write. */
const withoutPercentSign = ({ unit }: { readonly unit?: string }, given: string): string =>
  unit?.startsWith('%') === true ? given.replace(/%$/, '') : given

type NumericSpec = Extract<OptionSpec, { kind: 'integer' | 'number' | 'integers' | 'numbers' }>

function numberOf(flag: string, spec: NumericSpec, text: string, given: string): number {
  const value = /^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)
    ? Number(text.replaceAll('_', ''))
    : Number.NaN
  const isWhole =
    spec.kind === 'number' || spec.kind === 'numbers' ? Number.isFinite(value) : Number.isSafeInteger(value)
  const { min, max = Number.POSITIVE_INFINITY } = spec
  if (!isWhole || value < min || value > max) {
    throw invalidOption(flag, Number.isNaN(value) ? given : value, expectedOf(spec))
  }
  return value
}

const TEXTS: Readonly<Record<string, string>> = { DIR: 'a directory', FILE: 'a file' }

/** What an option wants, in words. */
export function expectedOf(spec: OptionSpec): string {
  switch (spec.kind) {
    case 'flag':
      return 'no value'
    case 'text':
    case 'texts':
      return TEXTS[spec.placeholder] ?? `a value as ${spec.placeholder}`
    case 'choice':
      return spec.choices.join(' or ')
    case 'integers':
      return `${rangeOf('integers', spec)}, with commas between them`
    case 'numbers':
      return `${rangeOf('numbers', spec)}, with commas between them`
    case 'integer':
      return rangeOf('an integer', spec)
    case 'number':
      return rangeOf('a number', spec)
  }
}

function rangeOf(what: string, { min, max }: { readonly min: number; readonly max?: number }): string {
  const lowest = min.toLocaleString('en-US')
  return max === undefined
    ? `${what} of at least ${lowest}`
    : `${what} from ${lowest} to ${max.toLocaleString('en-US')}`
}
