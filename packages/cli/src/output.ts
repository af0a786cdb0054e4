/** What commands share in how they speak. */
import { accessSync, constants, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { styleText } from 'node:util'
import type { CommandContext, OptionTable, OutputStream } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core/errors'
import { commandHelp } from './help.ts'

/** Exit codes by verdict. */
export const exitCodes = { pass: 0, fail: 1, unknown: 2, usage: 64, interrupted: 130 } as const

export type Verdict = Exclude<keyof typeof exitCodes, 'usage' | 'interrupted'>

/** Where text goes: to stderr where stdout is asked to be JSON alone. */
export const textStream = (json: string | undefined, { stdout, stderr }: CommandContext): OutputStream =>
  json === '-' ? stderr : stdout

/** Writes `document` where `--json` says. */
export function writeJson(json: string | undefined, document: unknown, { stdout }: CommandContext): void {
  if (json === undefined) return
  const text = `${JSON.stringify(document, undefined, 2)}\n`
  if (json === '-') stdout.write(text)
  else writeFileSync(json, text)
}

export const jsonOption = {
  kind: 'text',
  placeholder: 'FILE',
  help: "write the results as JSON; '-' for stdout, all else goes to stderr then",
} as const

/** The `--help` of a command; its exit code. */
export function showHelp(
  { stdout }: CommandContext,
  path: string,
  summary: string,
  options: OptionTable,
  details: readonly string[] = [],
): number {
  stdout.write(commandHelp(path, { name: path, summary, details, options, run: async () => 0 }))
  return exitCodes.pass
}

/** To be called before long work whose results go into a file. @throws RaftError INVALID_OPTIONS */
export function checkFolderOf(path: string, flag: string): void {
  try {
    accessSync(dirname(resolve(path)), constants.W_OK)
  } catch (error) {
    throw invalidOption(
      flag,
      path,
      `a file in a folder that can be written to (${(error as NodeJS.ErrnoException).code})`,
    )
  }
}

/** To be called before long work. @throws RaftError INVALID_OPTIONS where `--json` names a file that cannot be written */
export function checkJson(json: string | undefined): void {
  if (json !== undefined && json !== '-') checkFolderOf(json, '--json')
}

/** Rows of cells as a table of Markdown, as the formatter has it; the first row is the heads. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = widthsOf(rows)
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const padded = rows.map((row) => line(row.map((cell, column) => cell.padEnd(widths[column] ?? 0))))
  const rule = line(widths.map((width) => '-'.repeat(width)))
  return [padded[0], rule, ...padded.slice(1)].join('\n')
}

const widthsOf = (rows: readonly (readonly string[])[]): number[] =>
  (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? '').length)))

/**
 * Rows of cells, in columns; the first row is the heads.
 * @param numbers the columns that stand to the right
 */
export function aligned(rows: readonly (readonly string[])[], numbers: readonly number[] = []): string {
  const widths = widthsOf(rows)
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return numbers.includes(column) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  return `${rows.map(line).join('\n')}\n`
}

/** Colours on a terminal, unless NO_COLOR (https://no-color.org) is set to anything. */
export function paintFor(
  { isTTY }: OutputStream,
  { NO_COLOR, TERM }: CommandContext['env'],
): (format: 'bold' | 'dim' | 'green' | 'red' | 'yellow', text: string) => string {
  const hasColours = isTTY === true && !NO_COLOR && TERM !== 'dumb'
  return (format, text) => (hasColours ? styleText(format, text, { validateStream: false }) : text)
}

export const verdictColours = { pass: 'green', fail: 'red', unknown: 'yellow' } as const

/** With thousands separators. */
export const counted = (value: number): string => value.toLocaleString('en-US')

/** Bytes as people read them: `812 B`, `12.3 KiB`, `64.0 MiB`. */
export function sized(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  let value = bytes / 1024
  let unit = 'KiB'
  for (const larger of ['MiB', 'GiB', 'TiB']) {
    if (value < 1024) break
    value /= 1024
    unit = larger
  }
  return `${value.toFixed(1)} ${unit}`
}
