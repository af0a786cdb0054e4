/** The engines that scenarios are run on, as options name them. */
import { type Engine, SimEngine, TcpEngine, ThreadsEngine } from '@troupe/lab'
import { mutantNode, mutantProcess, mutantWorker } from './workers.ts'

export interface EngineValues {
  /** That of a plug-in too. */
  readonly engine: string
  /** Between the nodes of tcp. */
  readonly network: 'proxy' | 'namespaces'
  /** The sources are loaded with this bug on purpose. */
  readonly mutant: string | undefined
  /** A folder for the recordings of nodes on threads. */
  readonly record?: string | undefined
}

/** The engine that is asked for; none where it is one of a plug-in. */
export function enginesOf({ engine, network, mutant, record }: EngineValues): readonly Engine[] {
  const flags = mutant === undefined ? '' : ` --mutant ${mutant}`
  if (engine === 'tcp') {
    return [new TcpEngine({ network, flags, preload: mutant === undefined ? [] : [mutantProcess(mutant)] })]
  }
  if (engine === 'threads') {
    if (mutant === undefined) return [new ThreadsEngine({ record })]
    return [new ThreadsEngine({ worker: mutantNode(), workerData: { mutant }, flags, record })]
  }
  if (engine !== 'sim') return []
  return [new SimEngine(mutant === undefined ? {} : { worker: mutantWorker, workerData: { mutant } })]
}
