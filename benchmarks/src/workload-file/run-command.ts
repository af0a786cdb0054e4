/** `bench run FILE`: the steps of a workload file, one after the other, each held against its thresholds. */
import { readFileSync } from 'node:fs'
import { invalidOption } from '@troupe/core'
import { checkThresholds, type Measures } from '../check-perf/thresholds.ts'
import type { Command, CommandContext, OptionValues } from '../command.ts'
import { exitCodes } from '../command.ts'
import { commandLineOf } from '../command-line.ts'
import { outputOptionTable } from '../options.ts'
import type { FullDocument } from '../report/document.ts'
import { TerminalOutput } from '../report/terminal-output.ts'
import { checkFiles, documentOf, type Report, writeFiles } from '../report.ts'
import { type Verdict, worstOf } from '../verify.ts'
import { parseWorkloadFile, type WorkloadFile, type WorkloadStep } from './read-workload-file.ts'
import { printFindings, RunReport, type StepResult } from './run-report.ts'

const optionTable = {
  file: { kind: 'text', placeholder: 'FILE', help: 'the workload file, in YAML' },
  ...outputOptionTable,
} as const

type RunValues = OptionValues<typeof optionTable>

/** The figures of a document that thresholds are about. */
function measuresOf({ headline }: Pick<FullDocument, 'headline'>): Measures {
  const { latencyMs = {}, unknown: errors, ...figures } = (headline ?? {}) as Record<string, unknown>
  const latency = latencyMs as Record<string, unknown>
  const number = (value: unknown): number | null => (typeof value === 'number' ? value : null)
  return {
    opsPerSecond: number(figures['opsPerSecond']),
    p50Ms: number(latency['p50']),
    p99Ms: number(latency['p99']),
    p999Ms: number(latency['p999']),
    p9999Ms: number(latency['p9999']),
    maxMs: number(latency['max']),
    stddevMs: number(figures['stddevMs']),
    errors: number(errors ?? figures['errors']),
    lost: number(figures['lost']),
    duplicated: number(figures['duplicated']),
    elections: number(figures['elections']),
  }
}

async function runStep(step: WorkloadStep, context: CommandContext): Promise<StepResult> {
  const { name, command, values, thresholds } = step
  let document: FullDocument | null = null
  let report: Report | undefined
  const onDocument = (written: FullDocument, shown: Report): void => {
    document = written
    report = shown
  }
  const code = await command.run(values, { ...context, onDocument })
  const ran: Verdict = code === exitCodes.pass ? 'pass' : code === exitCodes.fail ? 'fail' : 'unknown'
  const check = checkThresholds(document === null ? {} : measuresOf(document), thresholds ?? {})
  return {
    ...{ name, command: command.name, document, report },
    verdict: worstOf([{ verdict: ran }, check]),
    findings: check.findings,
  }
}

function readWorkload(values: RunValues, commands: readonly Command[]): WorkloadFile {
  const { file } = values
  if (file === undefined) throw invalidOption('FILE', file, 'a workload file, as in `troupe bench run FILE`')
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw invalidOption('FILE', file, `a workload file that can be read (${code})`)
  }
  return parseWorkloadFile(text, file, commands)
}

async function run(values: RunValues, given: CommandContext, commands: readonly Command[]): Promise<number> {
  const workload = readWorkload(values, commands)
  checkFiles(values)
  const isForJson = values.json === '-'
  const context = isForJson ? { ...given, stdout: given.stderr } : given
  const output = new TerminalOutput(context, false)
  output.title(workload.name)
  const report = new RunReport(workload)
  for (const [index, step] of workload.steps.entries()) {
    if (given.signal.aborted) break
    output.line(output.style.dim(`\nstep ${index + 1} of ${workload.steps.length}: ${step.name}`))
    const result = await runStep(step, context)
    report.results.push(result)
    printFindings(output, result)
  }
  const verdict = given.signal.aborted ? 'unknown' : report.verdict
  const document = documentOf(report, verdict, commandLineOf('bench run', optionTable, values))
  writeFiles(values, report, document, given, output)
  return given.signal.aborted ? exitCodes.interrupted : exitCodes[verdict]
}

/** @param commands what steps may run; loaded when the command runs */
export function runCommandOf(commands: () => Promise<readonly Command[]>): Command<typeof optionTable> {
  return {
    name: 'run',
    operand: 'file',
    summary: 'the steps of a workload file in YAML, each held against its thresholds',
    details: [
      '`troupe bench FILE.yaml` is the same. A step is a command of `troupe bench` with its options, by the names that',
      'they have here; examples are in examples/workloads. Exits with 1 if a step fails or misses a threshold.',
    ],
    options: optionTable,
    run: async (values, context) => run(values, context, await commands()),
  }
}
