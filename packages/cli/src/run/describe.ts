/** What cases came to, for a terminal. */
import type { CommandContext, OutputStream } from '@troupe/benchmarks'
import type { CaseResult, SuiteProgress, SuiteResult } from '@troupe/lab'
import { counted, paintFor, verdictColours } from '../output.ts'

/** One line, and what was not as it should be below it. */
export function describeCase(result: CaseResult, out: OutputStream, env: CommandContext['env']): string {
  const { verdict, name, runs, elapsedMs, wallMs, asserted, reproduce, skipped } = result
  const paint = paintFor(out, env)
  const took = `${runs} runs, ${(elapsedMs / 1000).toFixed(0)} s in ${(wallMs / 1000).toFixed(1)} s`
  const lines = [`${paint(verdictColours[verdict], verdict.padEnd(7))} ${name}  ${paint('dim', took)}`]
  if (verdict !== 'pass') {
    for (const one of asserted) {
      if (one.verdict !== 'pass') lines.push(`        ${one.verdict}: ${one.text}`)
    }
    if (skipped > 0)
      lines.push(`        ${counted(skipped)} steps had nobody to be done to, or were not allowed`)
    lines.push(`        reproduce: ${reproduce}`)
  }
  return `${lines.join('\n')}\n`
}

/** How far it is, and what happens now. */
export function describeProgress({
  cases,
  ofCases,
  runs,
  ofRuns,
  failed,
  unknown,
  now,
}: SuiteProgress): string {
  const odd = [failed > 0 ? `${failed} failed` : '', unknown > 0 ? `${unknown} unknown` : '']
  const parts = [`${cases} of ${ofCases} cases, ${counted(runs)} of ${counted(ofRuns)} runs`, ...odd]
  return [...parts.filter((part) => part !== ''), ...now].join(' · ')
}

/** The last lines. */
export function describeSuite({ cases, wallMs, verdict }: SuiteResult, timeline: boolean): string {
  const count = (wanted: CaseResult['verdict']): number =>
    cases.filter((one) => one.verdict === wanted).length
  const runs = cases.reduce((sum, one) => sum + one.runs, 0)
  const events = cases.reduce((sum, one) => sum + one.events, 0)
  const lines = timeline ? cases.flatMap(({ example }) => example?.timeline ?? []) : []
  lines.push(
    `${verdict}: ${cases.length} cases, ${count('pass')} passed, ${count('fail')} failed, ${count('unknown')} unknown; ` +
      `${counted(runs)} runs, ${counted(events)} events in ${(wallMs / 1000).toFixed(1)} s`,
  )
  return `${lines.join('\n')}\n`
}
