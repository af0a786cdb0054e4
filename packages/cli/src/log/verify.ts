/** `troupe log verify DIR`: reads all of a log and says whether it is sound. */
import type { CommandContext, OptionTable, OutputStream } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import { parseOptions } from '../options.ts'
import {
  checkJson,
  counted,
  exitCodes,
  jsonOption,
  paintFor,
  showHelp,
  sized,
  textStream,
  writeJson,
} from '../output.ts'
import { Progress } from '../progress.ts'
import { bytesAt, type LogReport, NO_LISTING, reportOn } from './log-report.ts'
import { type LogPlace, logPlaces } from './places.ts'
import { type SnapshotRow, whyUnsound } from './snapshots.ts'

const PATH = 'troupe log verify DIR'
const SUMMARY = 'reads all of a log and its snapshots, and says whether they are sound'
const DETAILS = [
  'Checks structure, checksums, the chain of entries, gaps, and what the witness knows. Only reads, and needs no lock.',
]
const options = { json: jsonOption } as const satisfies OptionTable
/** What is done sooner needs no bar. */
const QUIET_SECONDS = 1

interface Verified {
  readonly path: string
  readonly nodeId: string | undefined
  readonly entries: number
  readonly segments: number
  /** Of the files that were read. */
  readonly bytes: number
  readonly snapshots: number
  readonly seconds: number
  readonly problems: readonly string[]
}

/** Runs `troupe log verify ARGS`: 1 where something is damaged. @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY, STORAGE_FAILED */
export async function verifyCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const [directory, ...rest] = args
  const isNamed = directory !== undefined && !directory.startsWith('-')
  const parsed = parseOptions(isNamed ? rest : args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, options, DETAILS)
  const { json } = parsed.values
  if (!isNamed) throw invalidOption('DIR', directory, 'a directory, as in `troupe log verify DIR`')
  checkJson(json)
  const out = textStream(json, context)
  const logs = await verifyAll(logPlaces(directory), out, context)
  const isSound = logs.every(({ problems }) => problems.length === 0)
  out.write(`${paintFor(out, context.env)(isSound ? 'green' : 'red', verdictLine(logs))}\n`)
  writeJson(json, { verdict: isSound ? 'sound' : 'damaged', logs }, context)
  return isSound ? exitCodes.pass : exitCodes.fail
}

async function verifyAll(
  places: readonly LogPlace[],
  out: OutputStream,
  { signal, env }: CommandContext,
): Promise<Verified[]> {
  const progress = new Progress(out)
  const sizes = places.map(bytesAt)
  const allBytes = sizes.reduce((sum, bytes) => sum + bytes, 0)
  const logs: Verified[] = []
  let before = 0
  for (const [at, place] of places.entries()) {
    const onProgress = (bytes: number): void => {
      if (progress.seconds < QUIET_SECONDS) return
      const done = Math.min(before + bytes, allBytes)
      progress.show(done / allBytes, `${sized(done)} of ${sized(allBytes)}`)
    }
    const bytes = sizes[at] ?? 0
    const verified = await verify(place, bytes, signal, onProgress)
    progress.write(describe(verified, paintFor(out, env)))
    logs.push(verified)
    before += bytes
  }
  return logs
}

async function verify(
  place: LogPlace,
  bytes: number,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<Verified> {
  const report = await reportOn(place, NO_LISTING, signal, onProgress)
  const complete = (report.snapshots ?? []).filter(
    ({ kind, damage }) => kind === 'complete' && damage === undefined,
  )
  const problems = [...report.problems, ...(await unsoundOf(complete, signal))]
  return {
    path: report.path,
    nodeId: report.identity.nodeId,
    entries: entriesIn(report),
    segments: report.segments.filter(({ entries }) => entries > 0).length,
    bytes,
    snapshots: complete.length,
    seconds: report.seconds,
    problems,
  }
}

async function unsoundOf(snapshots: readonly SnapshotRow[], signal: AbortSignal): Promise<string[]> {
  const problems: string[] = []
  for (const snapshot of snapshots) {
    signal.throwIfAborted()
    const reason = await whyUnsound(snapshot)
    if (reason !== undefined) problems.push(`snapshot ${reason}`)
  }
  return problems
}

/** Those that are whole. */
function entriesIn({ base, lastIndex, damaged }: LogReport): number {
  return damaged.reduce((count, { from, to }) => count - (to - from + 1), lastIndex - base.index)
}

function describe({ nodeId, path, problems, ...read }: Verified, paint: ReturnType<typeof paintFor>): string {
  const { entries, segments, bytes, snapshots, seconds } = read
  const speed = (bytes / 1e6 / Math.max(seconds, 1e-6)).toFixed(1)
  const kept = snapshots === 0 ? '' : `; ${several(snapshots, 'snapshot')}`
  const place = `${sized(bytes)} in ${several(segments, 'segment')}`
  const size = `${several(entries, 'entry', 'entries')}, ${place}, ${speed} MB/s${kept}`
  const heading = [nodeId, path].filter((part) => part !== undefined).join('  ')
  const lines = [
    `${paint('bold', heading)}: ${size}`,
    ...problems.map((line) => `  ${paint('red', 'problem')}  ${line}`),
  ]
  return `${lines.join('\n')}\n`
}

/** The last line. */
function verdictLine(logs: readonly Verified[]): string {
  const sum = (of: (log: Verified) => number): number => logs.reduce((total, log) => total + of(log), 0)
  const broken = logs.filter(({ problems }) => problems.length > 0).length
  const all = several(logs.length, 'log')
  const entries = sum((log) => log.entries)
  const bytes = sum((log) => log.bytes)
  if (broken === 0) return `sound: ${all}, ${several(entries, 'entry', 'entries')}, ${sized(bytes)}`
  const problems = sum((log) => log.problems.length)
  return `damaged: ${several(problems, 'problem')} in ${broken} of ${all}`
}

const several = (count: number, one: string, more = `${one}s`): string =>
  `${counted(count)} ${count === 1 ? one : more}`
