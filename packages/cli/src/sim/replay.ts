/** `troupe sim replay FILE`: a schedule, again. */
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import { readBoundedText } from '@troupe/lab/bounded-file'
import { describeDeed, parseSchedule, type Schedule } from '@troupe/sim'
import { parseOptions } from '../options.ts'
import { exitCodes, jsonOption, showHelp, textStream, writeJson } from '../output.ts'
import { checkMutant, sayMutant } from './output.ts'
import { inThread } from './pool.ts'
import { type Replay, replay } from './worker.ts'

const PATH = 'troupe sim replay FILE'

const options = {
  timeline: { kind: 'flag', help: 'print what happened, one line for each event' },
  'as-is': { kind: 'flag', help: 'run the code as it is, without the mutant that the file names' },
  json: jsonOption,
} as const satisfies OptionTable

/** Runs `troupe sim replay ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS */
export async function replayCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const [file, ...rest] = args
  const isNamed = file !== undefined && !file.startsWith('-')
  const parsed = parseOptions(isNamed ? rest : args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, 'runs a schedule again', options)
  if (!isNamed) throw invalidOption('FILE', file, 'a schedule, as `troupe sim shrink` writes it')
  const { timeline, json, 'as-is': asIs } = parsed.values
  const text = readBoundedText(file, 'FILE')
  const schedule = parseSchedule(text)
  const mutant = asIs ? undefined : schedule.mutant
  if (mutant !== undefined) checkMutant(mutant, 'mutant')
  const out = textStream(json, context)
  if (mutant !== undefined) sayMutant(mutant, out)
  out.write(steps(schedule))
  const task = { schedule: text, timeline }
  const result = mutant === undefined ? replay(task) : await inThread('replay', task, context.signal, mutant)
  for (const line of result.lines) out.write(`${line}\n`)
  out.write(describe(result))
  writeJson(json, result.run, context)
  return exitCodes[result.run.verdict]
}

/** What is done, one line for each step. */
function steps({ plan, steps: all }: Schedule): string {
  const nodes = `${plan.voters} voters, ${plan.learners} learners, ${plan.spares} spare nodes, seed ${plan.seed}`
  const lines = all.map((step) => `${step.atMs.toFixed(3).padStart(11)}  ${describeDeed(step)}`)
  return `${[nodes, ...lines].join('\n')}\n`
}

function describe({ run: { verdict, events, virtualMs, traceHash, failure }, failsAsSaid }: Replay): string {
  const lines = [
    `${verdict}, ${events} events in ${(virtualMs / 1000).toFixed(1)} virtual s, trace ${traceHash}`,
  ]
  if (failure !== undefined) {
    lines.push(`${failure.invariant}, at ${failure.atMs.toFixed(3)} ms: ${failure.message}`)
  }
  if (failsAsSaid === false) lines.push('it did not fail as the file says')
  return `${lines.join('\n')}\n`
}
