/** What decides a history in a thread of its own, within a budget of steps. */
import { checkLinearizability, type KvInput, type KvOutput, kvModel, type Operation } from '@troupe/check'

export interface HistoryTask {
  readonly operations: readonly Operation<KvInput, KvOutput>[]
  readonly maxStepsPerPartition: number
}

export interface HistoryVerdict {
  readonly verdict: 'pass' | 'fail' | 'unknown'
  readonly message: string
}

export function decide({ operations, maxStepsPerPartition }: HistoryTask): HistoryVerdict {
  const { verdict, failure, undecided } = checkLinearizability(kvModel, operations, { maxStepsPerPartition })
  if (failure === undefined) return { verdict, message: undecided.join(', ') }
  const { partition, blocked } = failure
  return { verdict, message: `the history of ${partition} is not linearizable: ${JSON.stringify(blocked)}` }
}

// biome-ignore lint/style/noDefaultExport: piscina calls the default export of the file
export default decide
