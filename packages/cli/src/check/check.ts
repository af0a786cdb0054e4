/** `troupe check FILE --model NAME`: checks a history that somebody recorded. */
import { writeFileSync } from 'node:fs'
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import {
  type CheckOutcome,
  type CheckStage,
  checkFileInWorker,
  checkModels,
  historyPage,
  type WorkerCheckOptions,
} from '@troupe/lab'
import { takeOperands } from '../operands.ts'
import { parseOptions, wantsHelp } from '../options.ts'
import {
  checkFolderOf,
  checkJson,
  counted,
  exitCodes,
  jsonOption,
  paintFor,
  showHelp,
  textStream,
  writeJson,
} from '../output.ts'
import { Progress } from '../progress.ts'
import { describeOutcome } from './describe-outcome.ts'

const PATH = 'troupe check'
const SUMMARY = 'checks a history of operations: are its answers what the model allows?'

const options = {
  model: { kind: 'text', placeholder: 'NAME', help: 'what the operations are of; see above' },
  budget: {
    kind: 'text',
    placeholder: 'TIME',
    otherwise: '60s',
    help: 'how long it may take, as 500ms, 60s or 5m; what is not decided by then is unknown',
  },
  'max-mb': {
    kind: 'integer',
    min: 1,
    unit: 'MiB',
    default: 256,
    help: 'the largest file that is read; it takes about six times its size in memory',
  },
  'max-heap-mb': {
    kind: 'integer',
    min: 16,
    unit: 'MiB',
    default: 2048,
    help: 'heap of the thread that reads and checks; beyond it the verdict is unknown',
  },
  'max-steps': {
    kind: 'integer',
    min: 1,
    default: 10_000_000,
    help: 'steps of the search for each key; each takes some tens of bytes',
  },
  initial: {
    kind: 'text',
    placeholder: 'JSON',
    otherwise: 'null',
    help: 'register, cas-register: what they hold at first',
  },
  drained: {
    kind: 'flag',
    help: 'total-queue: what was never dequeued is lost, although no drain ends the history',
  },
  linearizable: { kind: 'flag', help: 'set-full: elements that are seen late are an error' },
  html: { kind: 'text', placeholder: 'FILE', help: 'write a page with the operations as lanes' },
  json: jsonOption,
} as const satisfies OptionTable

type Values = OptionValues<typeof options>

/** Runs `troupe check ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS */
export async function check(args: readonly string[], context: CommandContext): Promise<number> {
  if (wantsHelp(args)) return showHelp(context, `${PATH} FILE`, SUMMARY, options, details())
  const { operands, rest } = takeOperands(args, ['FILE'], options, PATH)
  const parsed = parseOptions(rest, options, PATH)
  if (parsed.kind === 'help') return exitCodes.pass
  const { values } = parsed
  const [file = ''] = operands
  const model = modelOf(values)
  const bounds = boundsOf(values, model)
  checkJson(values.json)
  if (values.html !== undefined) checkFolderOf(values.html, '--html')
  const out = textStream(values.json, context)
  const progress = new Progress(out)
  const outcome = await checkFileInWorker(file, model, {
    ...bounds,
    signal: context.signal,
    onStage: (stage) => progress.show(...shareAndText(stage)),
  })
  progress.write(describeOutcome(file, outcome, progress.seconds, paintFor(out, context.env)))
  tell(file, outcome, values, context)
  return exitCodes[outcome.report.verdict]
}

const details = (): string[] => [
  'models:',
  ...checkModels.map(({ name, summary }) => `  ${name.padEnd(12)}  ${summary}`),
  '',
  'FILE has a line for each event, as objects of JSON or as Jepsen logs them; docs/checking.md tells more.',
]

function modelOf({ model }: Values): string {
  const names = checkModels.map(({ name }) => name)
  if (model !== undefined && names.includes(model)) return model
  throw invalidOption('--model', model, names.join(' or '))
}

function boundsOf(values: Values, model: string): WorkerCheckOptions {
  const { budget = '60s', initial, drained, linearizable } = values
  const onlyFor = (flag: string, isGiven: boolean, ...models: readonly string[]): void => {
    if (isGiven && !models.includes(model))
      throw invalidOption(flag, model, `${flag} only with ${models.join(' or ')}`)
  }
  onlyFor('--initial', initial !== undefined, 'register', 'cas-register')
  onlyFor('--drained', drained, 'total-queue')
  onlyFor('--linearizable', linearizable, 'set-full')
  return {
    budgetMs: durationOf(budget),
    maxMb: values['max-mb'],
    maxHeapMb: values['max-heap-mb'],
    maxStepsPerPartition: values['max-steps'],
    ...(initial !== undefined && { initial: jsonOf(initial) }),
    ...(drained && { isDrained: true }),
    ...(linearizable && { isLinearizable: true }),
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
/** What a timer can wait for. */
const MAX_BUDGET_MS = 2 ** 31 - 1

function durationOf(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  const ms = Number(amount) * (UNITS[unit] ?? 0)
  if (ms > 0 && ms <= MAX_BUDGET_MS) return ms
  throw invalidOption('--budget', text, 'a time with its unit, as 500ms, 60s or 5m')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidOption('--initial', text, 'a value of JSON: null, 0, "a"')
  }
}

function shareAndText(stage: CheckStage): [share: number, text: string] {
  switch (stage.phase) {
    case 'read':
      return [stage.share, `reading: ${counted(stage.operationCount)} operations`]
    case 'search':
      return [stage.share, `searching: ${counted(stage.stepCount)} steps`]
    case 'shorten':
      return [stage.share, 'it fails; looking for the shortest prefix that does']
  }
}

function tell(
  file: string,
  outcome: CheckOutcome,
  { model, html, json }: Values,
  context: CommandContext,
): void {
  const { report, faults, lineCount } = outcome
  writeJson(json, { file, lineCount, ...report, faults }, context)
  if (html === undefined) return
  const command = `pnpm troupe check ${file} --model ${model} --html ${html}`
  writeFileSync(html, historyPage({ name: file, report, faults, command }))
}
