/**
 * Checks in a thread of their own, with a budget and a hard stop: a search for an order is exponential where it is
 * unlucky, and nobody can tell before. Out of time, of steps or of memory the verdict is `unknown`.
 */
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type CheckOptions, type CheckReport, modelNames, type Operation } from '@troupe/check'
import { invalidOption, RaftError, type WireError } from '@troupe/core'
import type { CheckMessage, CheckOutcome, CheckStage, CheckTask } from './check-task.ts'
import { checkHistoryFile } from './read-history-file.ts'

/** Bounds and wishes of a check in a worker. */
export interface WorkerCheckOptions extends Omit<CheckOptions, 'onProgress' | 'onFailure'> {
  /** How long it may take, with the reading of a file. @default 60_000 */
  readonly budgetMs?: number
  /** Memory of the thread's heap; beyond it the verdict is `unknown`. @default 2048 */
  readonly maxHeapMb?: number
  /** Steps of the model in each partition; each costs some tens of bytes beside the heap. @default 10_000_000 */
  readonly maxStepsPerPartition?: number
  /** Largest file that is read. @default 256 */
  readonly maxMb?: number
  /** Ends the check. */
  readonly signal?: AbortSignal
  readonly onStage?: (stage: CheckStage) => void
}

const DEFAULT_BUDGET_MS = 60_000
const DEFAULT_HEAP_MB = 2048
const DEFAULT_STEPS = 10_000_000
const DEFAULT_MB = 256
const MIB = 1 << 20

/**
 * Checks `operations` by the model with this name. The thread is terminated at the end of its budget, and when `signal`
 * aborts.
 *
 * @param operations plain values: they are copied into the thread
 * @throws RaftError INVALID_OPTIONS when there is no such model
 * @throws the reason of `signal` when it aborts
 */
export async function checkInWorker<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  model: string,
  options: WorkerCheckOptions = {},
): Promise<CheckReport> {
  const task = taskOf(model, { kind: 'operations', operations }, options)
  const { report } = await runTask(task, options)
  return report
}

/**
 * Reads the history of a file (docs/checking.md) and checks it, likewise.
 *
 * @throws RaftError INVALID_OPTIONS when there is no such model, or anything is wrong with the file
 * @throws the reason of `signal` when it aborts
 */
export async function checkFileInWorker(
  path: string,
  model: string,
  options: WorkerCheckOptions = {},
): Promise<CheckOutcome> {
  const maxBytes = (options.maxMb ?? DEFAULT_MB) * MIB
  const task = taskOf(model, { kind: 'file', path, maxBytes }, options)
  checkHistoryFile(path, maxBytes)
  return runTask(task, options)
}

function taskOf(model: string, source: CheckTask['source'], options: WorkerCheckOptions): CheckTask {
  if (!modelNames.includes(model)) throw invalidOption('model', model, modelNames.join(' or '))
  const { maxStepsPerPartition = DEFAULT_STEPS, initial, isDrained, isLinearizable } = options
  return {
    model,
    source,
    options: {
      maxStepsPerPartition,
      ...(initial !== undefined && { initial }),
      ...(isDrained !== undefined && { isDrained }),
      ...(isLinearizable !== undefined && { isLinearizable }),
    },
  }
}

async function runTask(
  task: CheckTask,
  { budgetMs = DEFAULT_BUDGET_MS, maxHeapMb = DEFAULT_HEAP_MB, signal, onStage }: WorkerCheckOptions,
): Promise<CheckOutcome> {
  signal?.throwIfAborted()
  const worker = new Worker(fileURLToPath(import.meta.resolve('@troupe/lab/check-worker')), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
  })
  const ended = Promise.withResolvers<CheckOutcome>()
  let found: CheckOutcome | undefined
  let last: CheckStage | undefined
  /** A failure that is found stays one, however long its prefix. */
  const giveUp = (reason: string): void => ended.resolve(found ?? undecided(task, last, reason))
  const abort = (): void => ended.reject(signal?.reason)
  const timer = setTimeout(() => giveUp(`out of its budget of ${budgetMs / 1000} s`), budgetMs)
  worker.on('message', (message: CheckMessage) => {
    if (message.kind === 'done') ended.resolve(message.outcome)
    else if (message.kind === 'failure') found = message.outcome
    else if (message.kind === 'error') ended.reject(errorOf(message.error))
    else {
      last = message.stage
      onStage?.(last)
    }
  })
  worker.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') giveUp(`out of its memory of ${maxHeapMb} MiB`)
    else ended.reject(error)
  })
  worker.on('exit', (code) => ended.reject(new Error(`the thread that checks a history ended with ${code}`)))
  signal?.addEventListener('abort', abort)
  try {
    return await ended.promise
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    await worker.terminate()
  }
}

function undecided({ model, source }: CheckTask, last: CheckStage | undefined, reason: string): CheckOutcome {
  const report: CheckReport = {
    model,
    verdict: 'unknown',
    operationCount: source.kind === 'operations' ? source.operations.length : 0,
    partitionCount: 0,
    stepCount: last !== undefined && last.phase !== 'read' ? last.stepCount : 0,
    reason: last?.phase === 'read' ? `${reason}, while the file was read` : reason,
    undecided: [],
    failure: undefined,
    figures: {},
  }
  return { report, faults: [], lineCount: 0 }
}

const errorOf = (error: WireError | string): Error =>
  typeof error === 'string' ? new Error(error) : RaftError.fromWire(error)
