/** What runs in the worker threads of `troupe sim`: one seed a task. */
import { type PlanOptions, type RunResult, runSeed } from '@troupe/sim'

export interface SimTask extends PlanOptions {
  /** Run it twice, and compare the traces. */
  readonly checkDeterminism: boolean
  /** Whether a failure brings the last lines before it with it. */
  readonly timeline?: boolean | undefined
}

export interface SimTaskResult extends RunResult {
  /** Whether the second run did exactly what the first one did; true where there was none. */
  readonly isDeterministic: boolean
}

/** Runs one seed, twice where its determinism is to be checked too. */
export function runTask({ checkDeterminism, ...options }: SimTask): SimTaskResult {
  const result = runSeed(options)
  if (!checkDeterminism) return { ...result, isDeterministic: true }
  const again = runSeed(options)
  const isDeterministic = again.traceHash === result.traceHash && again.events === result.events
  return { ...result, isDeterministic, verdict: isDeterministic ? result.verdict : 'fail' }
}

// biome-ignore lint/style/noDefaultExport: piscina calls the default export of the file
export default runTask
