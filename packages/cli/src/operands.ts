import { parseArgs } from 'node:util'
import type { OptionTable } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core/errors'
import { missingValue } from './usage-error.ts'

export interface Operands {
  /** One for each name. */
  readonly operands: readonly string[]
  /** The options, as `parseOptions` takes them. */
  readonly rest: readonly string[]
}

/**
 * Takes the operands (DIR, FILE) out of `args`, wherever between the options they stand.
 * @throws RaftError INVALID_OPTIONS where one is missing, or one too many
 */
export function takeOperands(
  args: readonly string[],
  names: readonly string[],
  table: OptionTable,
  commandPath: string,
): Operands {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { kind }]) => [
      name,
      { type: kind === 'flag' ? 'boolean' : 'string' } as const,
    ]),
  )
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const found = tokens.filter((token) => token.kind === 'positional')
  const hint = `${commandPath}; see ${commandPath.split(' ', 2).join(' ')} --help`
  const missing = names[found.length]
  if (missing !== undefined) throw missingValue(missing, hint)
  const extra = found[names.length]
  if (extra !== undefined) throw invalidOption('argument', extra.value, `no more than ${hint}`)
  const places = new Set(found.map(({ index }) => index))
  return { operands: found.map(({ value }) => value), rest: args.filter((_, index) => !places.has(index)) }
}
