/** A benchmark's command in this process: what it says, and what it writes in each format. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command, CommandContext, OptionTable, OptionValues } from './command.ts'
import { defaultOf } from './workload-file/option-values.ts'

/** What a command wrote. */
export interface Written {
  readonly code: number
  readonly stdout: string
  /** As a program reads it. */
  // biome-ignore lint/suspicious/noExplicitAny: what is in it is what tests ask.
  readonly document: any
  readonly csv: readonly (readonly string[])[]
  readonly markdown: string
  readonly html: string
}

/** All options at their default, but for those given. */
export const valuesOf = <Table extends OptionTable>(
  { options }: Pick<Command<Table>, 'options'>,
  given: Partial<OptionValues<Table>> = {},
): OptionValues<Table> => {
  const defaults = Object.entries(options).map(([name, spec]) => [name, defaultOf(spec)])
  return { ...(Object.fromEntries(defaults) as OptionValues<Table>), ...given }
}

/** Runs it to its end; nothing is left of it. */
export async function written<Table extends OptionTable>(
  command: Command<Table>,
  given: Partial<OptionValues<Table>>,
): Promise<Written> {
  const scratch = mkdtempSync(join(tmpdir(), 'troupe-written-'))
  const files = { json: 'a.json', csv: 'a.csv', markdown: 'a.md', html: 'a.html' }
  const at = (name: string): string => join(scratch, name)
  const read = (name: string): string => readFileSync(at(name), 'utf8')
  const paths = Object.fromEntries(Object.entries(files).map(([option, name]) => [option, at(name)]))
  const said = { stdout: '', stderr: '' }
  const stream = (to: keyof typeof said): CommandContext['stdout'] => ({
    write: (text: string) => {
      said[to] += text
    },
  })
  const { signal } = new AbortController()
  const context = { stdout: stream('stdout'), stderr: stream('stderr'), env: {}, signal }
  try {
    const code = await command.run({ ...valuesOf(command, given), ...paths }, context)
    return {
      ...{ code, stdout: said.stdout, document: JSON.parse(read(files.json)) },
      ...{ csv: rowsOf(read(files.csv)), markdown: read(files.markdown), html: read(files.html) },
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Cells without their quotes; none has a line break in it. */
const rowsOf = (csv: string): string[][] =>
  csv
    .trimEnd()
    .split('\r\n')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
      ),
    )
