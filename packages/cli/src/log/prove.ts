/** `troupe log prove`: processes that write a log are killed, and nothing acknowledged is missing. */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import { describeFileSystem, type FileSystem } from '@troupe/store'
import { parseOptions } from '../options.ts'
import {
  aligned,
  checkJson,
  counted,
  exitCodes,
  jsonOption,
  paintFor,
  showHelp,
  textStream,
  type Verdict,
  verdictColours,
  writeJson,
} from '../output.ts'
import { Progress } from '../progress.ts'
import { type ProofCounts, type ProofResult, prove } from './proof.ts'
import { type TracedOrder, traceOrder } from './trace-order.ts'

const PATH = 'troupe log prove'
const SUMMARY = 'kills processes that write a log, and shows that nothing acknowledged is missing'
const DETAILS = [
  'A process appends, truncates, compacts and votes, and tells of each step that is acknowledged; it is killed',
  '(SIGKILL) while it opens the log, within a commit, right after an acknowledgement, or at any time. Its log is',
  'read as it was left, the next process opens it and goes on with it. One more run is traced: what is written',
  'outlives a killed process, so only the order of the calls shows that it was flushed before.',
]

const options = {
  kills: { kind: 'integer', min: 1, default: 200, help: 'how often' },
  seed: { kind: 'integer', min: 0, help: 'of steps and moments; without it a new one each time' },
  durability: {
    kind: 'choice',
    choices: ['flush-before-ack', 'acked-before-flush'],
    default: 'flush-before-ack',
    help: 'how the log is opened',
  },
  dir: {
    kind: 'text',
    placeholder: 'DIR',
    otherwise: 'the folder for temporary files',
    help: 'the file system to prove it on; what is made there is removed',
  },
  json: jsonOption,
} as const satisfies OptionTable

type Values = OptionValues<typeof options>

interface Proof extends ProofResult {
  readonly verdict: Verdict
  readonly durability: Values['durability']
  readonly fileSystem: FileSystem
  readonly seed: number
  readonly seconds: number
  readonly order: TracedOrder
  /** Where the log was left, where something was found. */
  readonly kept: string | undefined
}

/** Runs `troupe log prove ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS */
export async function proveCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const parsed = parseOptions(args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, options, DETAILS)
  const { values } = parsed
  const { json } = values
  checkJson(json)
  const directory = makeDirectory(values.dir)
  let isKept = false
  try {
    const proof = await run(values, directory, context)
    isKept = proof.kept !== undefined
    if (context.signal.aborted) return exitCodes.interrupted
    textStream(json, context).write(describe(proof, context, json))
    writeJson(json, proof, context)
    return exitCodes[proof.verdict]
  } finally {
    if (!isKept) rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** @throws RaftError INVALID_OPTIONS */
function makeDirectory(parent: string | undefined): string {
  const path = resolve(parent ?? tmpdir())
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return mkdtempSync(join(path, 'troupe-prove-'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw invalidOption('--dir', parent ?? path, `a directory that can be written to (${code})`)
  }
}

async function run(values: Values, directory: string, context: CommandContext): Promise<Proof> {
  const { kills, durability, seed = Math.floor(Math.random() * 2 ** 32), json } = values
  const { signal } = context
  const out = textStream(json, context)
  const fileSystem = describeFileSystem(directory)
  out.write(`${durability} on ${fileSystem.type}, ${counted(kills)} kills, seed ${seed}\n`)
  const order = await traceOrder(directory, durability)
  out.write(`${order.text}\n`)
  const progress = new Progress(out)
  const onKill = (counts: ProofCounts): void =>
    progress.show(
      counts.kills / kills,
      `${counts.kills} of ${kills} kills, ${counted(counts.acknowledged)} acknowledged`,
    )
  const path = join(directory, 'log')
  const result = await prove({ path, durability, kills, seed, signal, onKill })
  progress.write('')
  const verdict = verdictOf(result, order, fileSystem)
  const kept = result.finding === undefined ? undefined : join(path, '0')
  const seconds = Number(progress.seconds.toFixed(1))
  return { ...result, verdict, durability, fileSystem, seed, seconds, order, kept }
}

function verdictOf(
  { finding, undecided }: ProofResult,
  order: TracedOrder,
  { durable }: FileSystem,
): Verdict {
  if (finding !== undefined || !order.isRight) return 'fail'
  return undecided !== undefined || !durable ? 'unknown' : 'pass'
}

function describe(proof: Proof, context: CommandContext, json: string | undefined): string {
  const { counts, kept, seconds } = proof
  const paint = paintFor(textStream(json, context), context.env)
  const lines = [`${tableOf(counts)}\n`]
  const early = `${counted(counts.foundUnacknowledged)} steps were there before they were acknowledged`
  const ahead = `the vote of a step in flight was there without it after ${counted(counts.hardStateAhead)} kills`
  lines.push(`${early}, ${ahead}; ${seconds} s\n`)
  if (kept !== undefined) lines.push(`the log is kept: troupe log inspect ${kept}\n`)
  lines.push(`${paint(verdictColours[proof.verdict], verdictLine(proof))}\n`)
  return lines.join('')
}

function tableOf({ killsBy, ...counts }: ProofCounts): string {
  const { acknowledged, entries, truncations, compactions, resets, hardStates } = counts
  const kills = aligned(
    [['killed', 'times'], ...Object.entries(killsBy).map(([moment, count]) => [moment, counted(count)])],
    [1],
  )
  const steps = {
    steps: acknowledged,
    entries,
    truncations,
    compactions,
    resets,
    'terms and votes': hardStates,
  }
  const rows = Object.entries(steps).map(([what, count]) => [what, counted(count)])
  return `${kills}\n${aligned([['acknowledged', 'count'], ...rows], [1])}`
}

/** The last line. */
function verdictLine({ verdict, counts, finding, undecided, durability, fileSystem, order }: Proof): string {
  const where = `${durability} on ${fileSystem.type}`
  const sum = `${counted(counts.kills)} kills, ${counted(counts.acknowledged)} acknowledged`
  if (verdict === 'pass') return `durable: ${sum}, 0 missing, 0 half-written, ${where}`
  if (finding !== undefined)
    return `not durable: ${finding.kind} after kill ${finding.afterKill}: ${finding.reason}; ${sum}, ${where}`
  if (verdict === 'fail')
    return `not durable: acknowledged before it was flushed (${order.text}); ${sum}, ${where}`
  const why = undecided ?? `on ${fileSystem.type} a flush means nothing`
  return `unknown: ${why}; ${sum}, 0 missing, 0 half-written, ${where}`
}
