/** What a checked history came to, for a terminal. */
import type { CheckFailure, CheckOutcome, CheckReport, ShownOperation } from '@troupe/lab'
import { aligned, counted, type paintFor, verdictColours } from '../output.ts'

type Paint = ReturnType<typeof paintFor>

/** Rows of each kind that a table shows: whoever wants all looks at the page. */
const MAX_ROWS = 8

/** Several lines; the last says how to see more. */
export function describeOutcome(
  file: string,
  { report, lineCount }: CheckOutcome,
  seconds: number,
  paint: Paint,
): string {
  const { verdict, failure } = report
  const lines = [
    `${paint(verdictColours[verdict], verdict)}  ${file}: ${sentenceOf(report)}`,
    `      ${sizeOf(report, lineCount)}, ${seconds.toFixed(1)} s`,
    ...hintLines(report),
    ...figureLines(report),
    ...(failure === undefined ? [] : failureLines(failure, paint)),
  ]
  return `${lines.join('\n')}\n`
}

function sentenceOf({ verdict, failure, reason, model }: CheckReport): string {
  if (failure) return failure.partition === '' ? failure.reason : `${failure.partition}: ${failure.reason}`
  return verdict === 'pass' ? `everything is what ${model} allows` : (reason ?? '')
}

/** What gives it more, where that is what it lacks. */
function hintLines({ verdict, reason = '', undecided }: CheckReport): string[] {
  const isOutOfSteps = undecided.length > 0
  if (verdict !== 'unknown' || !(isOutOfSteps || reason.startsWith('out of'))) return []
  const parts = isOutOfSteps ? [`      undecided: ${undecided.slice(0, MAX_ROWS).join(', ')}`] : []
  return [...parts, '      --budget, --max-steps and --max-heap-mb give it more']
}

function sizeOf({ operationCount, partitionCount, stepCount }: CheckReport, lineCount: number): string {
  const several = (count: number, one: string): string => `${counted(count)} ${one}${count === 1 ? '' : 's'}`
  const steps = stepCount === 0 ? '' : `, ${several(stepCount, 'step')}`
  return `${several(lineCount, 'line')}, ${several(operationCount, 'operation')}, ${several(partitionCount, 'part')}${steps}`
}

/** Counts and latencies; lists are in the JSON. */
function figureLines({ figures }: CheckReport): string[] {
  const shown = Object.entries(figures).filter(([, value]) => value !== undefined && !Array.isArray(value))
  if (shown.length === 0) return []
  const text = (value: unknown): string =>
    typeof value === 'object' && value !== null
      ? Object.entries(value)
          .map(([name, each]) => `${name}: ${each}`)
          .join(', ')
      : String(value)
  return [
    '',
    ...aligned([['figure', 'value'], ...shown.map(([name, value]) => [name, text(value)])])
      .trimEnd()
      .split('\n'),
  ]
}

function failureLines(failure: CheckFailure, paint: Paint): string[] {
  const { operations, prefixLength, isShortest, states } = failure
  const rows = rowsOf(operations)
  const last = operations.find(({ role }) => role === 'blocked')
  const title =
    prefixLength === undefined
      ? 'operations that have to do with it'
      : `${isShortest ? 'the shortest prefix that fails has' : 'a prefix that fails has'} ${counted(prefixLength)} operations` +
        (last?.line === undefined ? '' : ` and ends with the answer to line ${last.line}`)
  const more = prefixLength === undefined ? operations.length : prefixLength
  const table = aligned(
    [['order', 'line', 'client', 'operation', 'from … to'], ...rows.map(cellsOf)],
    [0, 1, 2],
  )
  return [
    '',
    `${title}${more > rows.length ? `; ${rows.length} of them, the nearest to its end:` : ':'}`,
    ...table
      .trimEnd()
      .split('\n')
      .map((line) => (line.includes('✗') ? paint('red', line) : line)),
    ...(states.length === 0 ? [] : ['', `before that answer the state can have been: ${states.join(' | ')}`]),
  ]
}

/** Who has a part in it, the end of the order that explains what was before, what is pending, and the impossible one last. */
function rowsOf(operations: readonly ShownOperation[]): ShownOperation[] {
  const plain = operations.filter(({ role }) => role === undefined)
  const placed = plain
    .filter(({ place }) => place !== undefined)
    .sort((left, right) => (left.place ?? 0) - (right.place ?? 0))
  const pending = plain.filter(({ place }) => place === undefined)
  return [
    ...operations.filter(({ role }) => role === 'witness').slice(0, MAX_ROWS),
    ...placed.slice(-MAX_ROWS),
    ...pending.slice(-MAX_ROWS),
    ...operations.filter(({ role }) => role === 'blocked'),
  ]
}

function cellsOf({ place, role, line, process, text, callAt, returnAt }: ShownOperation): string[] {
  const order =
    role === 'blocked' ? '✗' : role === 'witness' ? `! ${place ?? ''}`.trim() : String(place ?? '')
  return [order, String(line ?? ''), String(process), text, `${callAt} … ${returnAt ?? 'open'}`]
}
