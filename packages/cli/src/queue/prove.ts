/** `troupe queue prove`: total-queue on worker threads, under faults. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
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
import { proveQueue, type QueueProof } from './proof.ts'

const PATH = 'troupe queue prove'
const SUMMARY =
  'shows that a queue loses nothing and delivers nothing after its ack, whatever happens to its nodes'
const DETAILS = [
  'Four producers and four consumers work on three replicas, while leaders crash, are cut off and stop, and followers are started',
  'again. A send whose outcome nobody knows is sent again under the same ids. Some messages are nacked, some forgotten until',
  'their lease ends. In the end everything is taken. Where that is not done in time, nothing is said of what is lost: unknown.',
]

const options = {
  messages: { kind: 'integer', min: 1, default: 100_000, help: 'how many' },
  seed: { kind: 'integer', min: 0, help: 'of faults and nacks; without it a new one each time' },
  'fault-every': {
    kind: 'integer',
    min: 0,
    unit: 'ms',
    default: 2000,
    help: 'time between faults, and how long each lasts at most; 0 for none',
  },
  drain: {
    kind: 'integer',
    min: 0,
    unit: 's',
    default: 120,
    help: 'longest wait for the last messages, and for the next send that is acknowledged',
  },
  json: jsonOption,
} as const satisfies OptionTable

interface Proved extends QueueProof {
  readonly verdict: Verdict
  readonly seed: number
}

/**
 * Runs `troupe queue prove ARGS`; resolves with the exit code.
 * @param prove on which cluster
 * @throws RaftError INVALID_OPTIONS
 */
export async function proveCommand(
  args: readonly string[],
  context: CommandContext,
  prove: typeof proveQueue = proveQueue,
): Promise<number> {
  const parsed = parseOptions(args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, options, DETAILS)
  const { messages, drain, json, seed = Math.floor(Math.random() * 2 ** 32) } = parsed.values
  checkJson(json)
  const folder = mkdtempSync(join(tmpdir(), 'troupe-queue-prove-'))
  const out = textStream(json, context)
  out.write(`${counted(messages)} messages, seed ${seed}\n`)
  const progress = new Progress(out)
  try {
    const proof = await prove({
      ...{ messages, seed, signal: context.signal, drainMs: drain * 1000 },
      faultEveryMs: parsed.values['fault-every'],
      directory: join(folder, 'data'),
      onProgress: (sent, acked) =>
        progress.show((sent + acked) / 2 / messages, `${counted(sent)} sent, ${counted(acked)} acked`),
    })
    progress.write('')
    if (context.signal.aborted) return exitCodes.interrupted
    const proved: Proved = { verdict: verdictOf(proof), seed, ...proof }
    out.write(describe(proved, context, json))
    writeJson(json, proved, context)
    return exitCodes[proved.verdict]
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Where the queue was not emptied nobody knows what is lost: that shows nothing. */
export function verdictOf({
  findings,
  isDrained,
  areEqual,
}: Pick<QueueProof, 'findings' | 'isDrained' | 'areEqual'>): Verdict {
  const { redelivered: _, late: _late, ...broken } = findings
  if (areEqual === false || Object.values(broken).some((count) => count > 0)) return 'fail'
  return isDrained && areEqual === true ? 'pass' : 'unknown'
}

function describe(proved: Proved, context: CommandContext, json: string | undefined): string {
  const { verdict, sent, acked, duplicateSends, findings, faults, isDrained, areEqual, seconds } = proved
  const rows = Object.entries({
    sent,
    'sent again, and known': duplicateSends,
    acked,
    'delivered again before an ack': findings.redelivered,
    'delivered to whoever had lost its lease': findings.late,
    lost: findings.lost,
    unexpected: findings.unexpected,
    'enqueued twice': findings.enqueuedTwice,
    'delivered after an acknowledged ack': findings.assignedAfterAck,
    'overtaken within a key': findings.overtaken,
  }).map(([what, count]) => [what, counted(count)])
  const happened = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`)
  const paint = paintFor(textStream(json, context), context.env)
  const why = [
    ...(isDrained ? [] : ['the queue was not emptied in time: nothing is said of what is lost']),
    ...(areEqual === false ? ['the replicas differ'] : []),
    ...(areEqual === undefined ? ['the replicas were not seen at the same entry'] : []),
  ]
  return [
    aligned([['messages', 'count'], ...rows], [1]),
    `faults: ${happened.length === 0 ? 'none' : happened.join(', ')}; ${seconds.toFixed(1)} s\n`,
    `${paint(verdictColours[verdict], [verdict, ...why].join(': '))}\n`,
  ].join('')
}
