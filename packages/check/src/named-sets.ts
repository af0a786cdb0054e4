/** The checks of what is there, not of its order, by name: total-queue and set-full. */
import type { Operation } from './history.ts'
import { echoOf, keyOf, type NamedModel, presentOf, ValueProblem } from './named-model.ts'
import type { CheckFailure, CheckReport } from './report.ts'
import { shownOperations } from './report.ts'
import {
  checkSetFull,
  distributionOf,
  type SetElement,
  type SetFullResult,
  type SetInput,
  type SetOperation,
  type SetOutput,
} from './set-full.ts'
import {
  checkTotalQueue,
  type QueueElement,
  type TotalQueueInput,
  type TotalQueueOperation,
  type TotalQueueOutput,
  type TotalQueueResult,
} from './total-queue.ts'
import { sameValue, showValue } from './values.ts'

/** As Jepsen: enough to see what it is about. */
const MAX_WORST = 8
const MAX_NAMED = 10

const totalQueue: NamedModel<TotalQueueInput, TotalQueueOutput> = {
  name: 'total-queue',
  summary: 'a queue in any order: what goes in comes out, and nothing else: enqueue, dequeue, drain',
  ops: ['enqueue', 'dequeue', 'drain'],
  functions: {
    enqueue: 'the value',
    dequeue: 'the value; null when the queue was empty',
    drain: 'the list of values',
  },
  decodeCall: (call) => {
    if (call.f === 'dequeue' || call.f === 'drain') return { ...keyOf(call), op: call.f }
    return { ...keyOf(call), op: 'enqueue', value: presentOf(call.value, 'what is enqueued') }
  },
  decodeReturn: (input, { value }) => {
    if (input.op === 'dequeue') return value ?? null
    if (input.op === 'enqueue') return echoOf(value, input.value, sameValue)
    return listOf(value ?? [])
  },
  check(operations, { isDrained } = {}) {
    const result = checkTotalQueue(operations, isDrained)
    const { verdict, remaining } = result
    const reason =
      remaining.length > 0 ? `${counted(remaining.length)} not dequeued, and nothing drained it` : undefined
    return {
      ...emptyReport(this.name, verdict, operations, reason ?? 'nothing was enqueued'),
      failure: verdict === 'fail' ? queueFailure(result) : undefined,
      figures: queueFigures(result),
    }
  },
}

const setFull: NamedModel<SetInput, SetOutput> = {
  name: 'set-full',
  summary: 'a set for each key, whose elements stay: add, read',
  ops: ['add', 'read'],
  functions: { add: 'the element', read: 'the list of elements that were read' },
  decodeCall: (call) => {
    if (call.f === 'read') return { ...keyOf(call), op: 'read' }
    return { ...keyOf(call), op: 'add', value: presentOf(call.value, 'what is added') }
  },
  decodeReturn: (input, { value }) =>
    input.op === 'read' ? listOf(value) : echoOf(value, input.value, sameValue),
  check(operations, { isLinearizable = false } = {}) {
    const result = checkSetFull(operations, isLinearizable)
    const { verdict } = result
    return {
      ...emptyReport(this.name, verdict, operations, 'no read saw an element to stay'),
      failure: verdict === 'fail' ? setFailure(result, isLinearizable) : undefined,
      figures: setFigures(result),
    }
  },
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new ValueProblem('value', value, 'a list')
}

function emptyReport(
  model: string,
  verdict: CheckReport['verdict'],
  operations: readonly Operation<{ readonly key?: string }, unknown>[],
  reason: string,
): CheckReport {
  return {
    model,
    verdict,
    operationCount: operations.filter(({ outcome }) => outcome !== 'fail').length,
    partitionCount: new Set(operations.map(({ input }) => input.key)).size,
    stepCount: 0,
    reason: verdict === 'unknown' ? reason : undefined,
    undecided: [],
    failure: undefined,
    figures: {},
  }
}

const counted = (count: number): string => (count === 1 ? '1 value was' : `${count} values were`)

type Named = { readonly key?: string | undefined; readonly value: unknown }

const nameOf = ({ key, value }: Named): string =>
  key === undefined ? showValue(value) : `${key}: ${showValue(value)}`

function listed(elements: readonly Named[]): string {
  const more = elements.length > MAX_NAMED ? ` and ${elements.length - MAX_NAMED} more` : ''
  return elements.slice(0, MAX_NAMED).map(nameOf).join(', ') + more
}

/** `lost: 1, 2; unexpected: 7`. */
function reasonOf(flaws: Readonly<Record<string, readonly Named[]>>): string {
  return Object.entries(flaws)
    .filter(([, elements]) => elements.length > 0)
    .map(([name, elements]) => `${name}: ${listed(elements)}`)
    .join('; ')
}

function failureOf<Input, Output>(
  reason: string,
  witnesses: readonly Operation<Input, Output>[],
  describe: (operation: Operation<Input, Output>) => string,
): CheckFailure {
  const operations = Array.from(new Set(witnesses)).sort((left, right) => left.callAt - right.callAt)
  const blocked = operations[0] as Operation<Input, Output>
  const shown = shownOperations(operations, blocked, operations, [], describe)
  return {
    partition: '',
    reason,
    isShortest: false,
    prefixLength: undefined,
    operations: shown.map((operation) => ({ ...operation, role: 'witness' as const })),
    omittedCount: operations.length - shown.length,
    states: [],
  }
}

function queueFailure({ lost, unexpected }: TotalQueueResult): CheckFailure {
  const operations = [...lost, ...unexpected].map(({ operation }) => operation)
  return failureOf(reasonOf({ lost, unexpected }), operations, describeQueue)
}

function describeQueue({ input, output, outcome }: TotalQueueOperation): string {
  const answer = outcome === 'ok' ? showValue(output) : '?'
  if (input.op !== 'enqueue') return `${input.op} → ${output === null ? 'empty' : answer}`
  return `enqueue ${showValue(input.value)}${outcome === 'ok' ? '' : ' → ?'}`
}

function queueFigures(result: TotalQueueResult): CheckReport['figures'] {
  const { isDrained, attemptCount, acknowledgedCount, okCount } = result
  const { lost, remaining, unexpected, duplicated, recovered } = result
  const count = (elements: readonly QueueElement[]): number =>
    elements.reduce((sum, element) => sum + element.count, 0)
  return {
    isDrained,
    attemptCount,
    acknowledgedCount,
    okCount,
    lostCount: count(lost),
    remainingCount: count(remaining),
    unexpectedCount: count(unexpected),
    duplicatedCount: count(duplicated),
    recoveredCount: count(recovered),
    lost: lost.map(plain),
    unexpected: unexpected.map(plain),
    duplicated: duplicated.map(plain),
    recovered: recovered.map(plain),
  }
}

/** With its key where it has one. */
const plain = ({ key, value }: Named): unknown => (key === undefined ? value : [key, value])

function setFailure(result: SetFullResult, isLinearizable: boolean): CheckFailure {
  const { lost, duplicated, unexpected } = result
  const stale = isLinearizable ? result.stale : []
  const witnesses: SetOperation[] = [
    ...[...lost, ...stale].flatMap(({ add, lastAbsent }) => (lastAbsent ? [add, lastAbsent] : [add])),
    ...[...duplicated, ...unexpected].map(({ read }) => read),
  ]
  return failureOf(reasonOf({ lost, stale, duplicated, unexpected }), witnesses, describeSet)
}

function describeSet({ input, output, outcome }: SetOperation): string {
  if (input.op === 'read') return `read → ${outcome === 'ok' ? `${output?.length} elements` : '?'}`
  return `add ${showValue(input.value)}${outcome === 'ok' ? '' : ' → ?'}`
}

function setFigures(result: SetFullResult): CheckReport['figures'] {
  const { elements, stable, lost, neverRead, stale, duplicated, unexpected } = result
  const byLatency = (left: SetElement, right: SetElement): number =>
    (right.stableLatencyMs ?? 0) - (left.stableLatencyMs ?? 0)
  const present = (value: number | undefined): value is number => value !== undefined
  return {
    attemptCount: elements.length,
    stableCount: stable.length,
    lostCount: lost.length,
    neverReadCount: neverRead.length,
    staleCount: stale.length,
    duplicatedCount: duplicated.length,
    unexpectedCount: unexpected.length,
    lost: lost.map(plain),
    neverRead: neverRead.map(plain),
    stale: stale.map(plain),
    worstStale: stale
      .toSorted(byLatency)
      .slice(0, MAX_WORST)
      .map((element) => ({ element: plain(element), stableLatencyMs: element.stableLatencyMs })),
    duplicated: duplicated.map(({ value, count }) => [value, count]),
    unexpected: unexpected.map(({ value }) => value),
    stableLatenciesMs: distributionOf(stable.map((each) => each.stableLatencyMs).filter(present)),
    lostLatenciesMs: distributionOf(lost.map((each) => each.lostLatencyMs).filter(present)),
  }
}

export const setModels: readonly NamedModel[] = [totalQueue, setFull] as readonly NamedModel[]
