/** `troupe log inspect DIR`: shows what a log holds, without opening it. */
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import { parseOptions } from '../options.ts'
import { checkJson, exitCodes, jsonOption, paintFor, showHelp, textStream, writeJson } from '../output.ts'
import { describeReport } from './describe-report.ts'
import { type Listing, type LogReport, NO_LISTING, reportOn } from './log-report.ts'
import { logPlaces } from './places.ts'

const PATH = 'troupe log inspect DIR'
const SUMMARY = "shows what a log holds: a group's, a node's, or those of all nodes of a cluster"
const DETAILS = ['Only reads, and needs no lock: of a running node it shows what was there a moment ago.']

/** More lines than anybody reads. */
const MAX_LISTED = 100_000

const options = {
  from: { kind: 'integer', min: 1, help: 'list the entries from this index on' },
  to: { kind: 'integer', min: 1, help: 'list the entries up to this index' },
  entries: { kind: 'integer', min: 1, max: MAX_LISTED, help: 'list at most so many entries, the last ones' },
  json: jsonOption,
} as const satisfies OptionTable

/** Runs `troupe log inspect ARGS`. @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY, STORAGE_FAILED */
export async function inspectCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const [directory, ...rest] = args
  const isNamed = directory !== undefined && !directory.startsWith('-')
  const parsed = parseOptions(isNamed ? rest : args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, options, DETAILS)
  const { json } = parsed.values
  if (!isNamed) throw invalidOption('DIR', directory, 'a directory, as in `troupe log inspect DIR`')
  const listing = listingOf(parsed.values)
  checkJson(json)
  const out = textStream(json, context)
  const paint = paintFor(out, context.env)
  const reports: LogReport[] = []
  for (const place of logPlaces(directory)) {
    const report = await reportOn(place, listing, context.signal, () => {})
    out.write(`${reports.length === 0 ? '' : '\n'}${describeReport(report, listing, paint)}`)
    reports.push(report)
  }
  writeJson(json, { logs: reports }, context)
  return exitCodes.pass
}

/** @throws RaftError INVALID_OPTIONS */
function listingOf({ from, to, entries }: OptionValues<typeof options>): Listing {
  if (from === undefined && to === undefined && entries === undefined) return NO_LISTING
  const range = { from: from ?? 1, to: to ?? Number.MAX_SAFE_INTEGER }
  if (range.to < range.from) throw invalidOption('--to', to, `an integer of at least ${range.from}`)
  return { ...range, entries: entries ?? MAX_LISTED }
}
