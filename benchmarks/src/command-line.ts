/** What somebody types to run the same benchmark again. */
import type { OptionSpec, OptionTable } from './command.ts'

/**
 * The command with all options that are not at their default, in the order of `--help`, quoted for a shell.
 * @param path of the command: `bench throughput`
 */
export function commandLineOf(
  path: string,
  table: OptionTable,
  values: Readonly<Record<string, unknown>>,
): string {
  const options = Object.entries(table).flatMap(([option, spec]) => wordsOf(option, spec, values[option]))
  return ['pnpm troupe', path, ...options].join(' ')
}

function wordsOf(option: string, spec: OptionSpec, value: unknown): readonly string[] {
  if (value === undefined || value === false) return []
  if (value === true) return [`--${option}`]
  const text = String(value)
  return 'default' in spec && text === String(spec.default) ? [] : [`--${option}`, quoted(text)]
}

const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
