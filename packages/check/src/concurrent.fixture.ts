/** Histories of any object for tests: executions of a real one by concurrent clients, and ways to spoil them. */
import { below } from './execution.fixture.ts'
import { History, type Operation } from './history.ts'

/** A real object, and what clients ask of it. */
export interface Subject<State, Input, Output> {
  readonly initial: State
  /** @param fresh a number that no other operation gets */
  input(random: () => number, process: number, fresh: number): Input
  /** What it does; undefined where it refuses. */
  apply(state: State, input: Input): { readonly state: State; readonly output: Output } | undefined
}

export interface Shape {
  readonly processCount: number
  readonly operationCount: number
  /** Part of the operations whose end nobody hears of. */
  readonly openRate: number
}

/** An execution: each operation takes place at one moment within its time. What is refused fails. */
export function executeOn<State, Input, Output>(
  subject: Subject<State, Input, Output>,
  { processCount, operationCount, openRate }: Shape,
  random: () => number,
): Operation<Input, Output>[] {
  const history = new History<Input, Output>()
  let state = subject.initial
  interface Running {
    readonly input: Input
    readonly pending: ReturnType<typeof history.invoke>
    result?: { readonly output: Output } | undefined
    hasHappened: boolean
  }
  const running = new Map<number, Running>()
  const happen = (each: Running): void => {
    const result = subject.apply(state, each.input)
    if (result) state = result.state
    each.result = result
  }
  while (history.operationCount < operationCount || running.size > 0) {
    const process = below(random, processCount)
    const current = running.get(process)
    if (current === undefined) {
      if (history.operationCount >= operationCount) continue
      const input = subject.input(random, process, history.operationCount)
      running.set(process, { input, pending: history.invoke(process, input), hasHappened: false })
      continue
    }
    if (!current.hasHappened) {
      const isOpen = random() < openRate
      if (!isOpen || random() < 0.5) happen(current)
      current.hasHappened = true
      if (!isOpen) continue
      current.pending.open()
    } else if (current.result) current.pending.ok(current.result.output)
    else current.pending.fail()
    running.delete(process)
  }
  return history.operations()
}

/** The history with one answer, one moment or one outcome changed. It may still be linearizable. */
export function spoilOne<Input extends { readonly op: string }, Output>(
  operations: readonly Operation<Input, Output>[],
  random: () => number,
): Operation<Input, Output>[] {
  const index = below(random, operations.length)
  const one = operations[index]
  const other = operations[below(random, operations.length)]
  if (one === undefined || other === undefined || one.outcome !== 'ok') return [...operations]
  switch (below(random, 4)) {
    case 0: {
      if (other.input.op !== one.input.op || other.outcome !== 'ok') return [...operations]
      const swapped = operations.with(index, { ...one, output: other.output })
      return swapped.with(operations.indexOf(other), { ...other, output: one.output })
    }
    case 1:
      return operations.with(index, {
        ...one,
        returnAt: one.callAt + below(random, one.returnAt - one.callAt),
      })
    case 2:
      return operations.with(index, { ...one, callAt: one.returnAt - 1 })
    default:
      return operations.toSpliced(index, 1)
  }
}
