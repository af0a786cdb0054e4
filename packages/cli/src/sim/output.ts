/** What the commands of the simulator share in how they speak. */
import { accessSync, constants, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { CommandContext, OptionTable, OutputStream } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import { mutantNamed } from '@troupe/sim/mutants'
import { commandHelp } from '../help.ts'
import { isCheckout, knownMutants, NEEDS_CHECKOUT } from './mutant-hook.ts'

/** Exit codes by verdict. */
export const exitCodes = { pass: 0, fail: 1, unknown: 2, interrupted: 130 } as const

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

/** @throws RaftError INVALID_OPTIONS where there is no such mutant, or no sources to change */
export function checkMutant(name: string, field = '--mutant'): void {
  if (mutantNamed(name) === undefined) throw invalidOption(field, name, knownMutants())
  if (!isCheckout) throw invalidOption(field, name, NEEDS_CHECKOUT)
}

/** Whoever reads the output has to know that the code is not as it is. */
export function sayMutant(name: string, out: OutputStream): void {
  const mutant = mutantNamed(name)
  if (mutant === undefined) return
  out.write(`mutant ${name}: ${mutant.slip}\n  breaks: ${mutant.rule} (${mutant.source})\n`)
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

/** Rows of cells, in columns; the first row is the heads. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = widthsOf(rows)
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return `${rows.map(line).join('\n')}\n`
}
