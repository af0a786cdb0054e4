/** The thread of `checkInWorker`: checks what `workerData` brings, and posts how far it is and what it found. */
import { parentPort, workerData } from 'node:worker_threads'
import { type CheckReport, findModel, type NamedModel, type RecordedHistory } from '@troupe/check'
import { RaftError } from '@troupe/core'
import type { CheckMessage, CheckOutcome, CheckStage, CheckTask } from './check-task.ts'
import { readHistoryFile } from './read-history-file.ts'

/** What is told of progress is for people. */
const PROGRESS_EVERY_MS = 100

const post = (message: CheckMessage): void => parentPort?.postMessage(message)

let toldMs = 0
function tell(stage: CheckStage): void {
  const nowMs = performance.now()
  if (nowMs - toldMs < PROGRESS_EVERY_MS) return
  toldMs = nowMs
  post({ kind: 'stage', stage })
}

function historyOf(source: CheckTask['source'], model: NamedModel): RecordedHistory {
  if (source.kind === 'operations') return { operations: source.operations, faults: [], lineCount: 0 }
  return readHistoryFile(source.path, model, source.maxBytes, (share, operationCount) =>
    tell({ phase: 'read', share, operationCount }),
  )
}

function check({ model: name, source, options }: CheckTask): CheckOutcome {
  const model = findModel(name)
  if (model === undefined) throw new Error(`there is no model ${name}`)
  const { operations, faults, lineCount } = historyOf(source, model)
  const outcome = (report: CheckReport): CheckOutcome => ({ report, faults, lineCount })
  const report = model.check(operations, {
    ...options,
    onProgress: tell,
    onFailure: (found) => post({ kind: 'failure', outcome: outcome(found) }),
  })
  return outcome(report)
}

try {
  post({ kind: 'done', outcome: check(workerData as CheckTask) })
} catch (error) {
  post({ kind: 'error', error: error instanceof RaftError ? error.toWire() : String(error) })
}
