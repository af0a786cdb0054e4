/** The entry of a worker whose node loads the sources with a bug on purpose: its name comes with what the node is started with. */
import { workerData } from 'node:worker_threads'
import { installMutant } from '../sim/mutant-hook.ts'

const { troupeActor } = workerData as {
  readonly troupeActor: { readonly data: { readonly laboratory: { readonly mutant: string } } }
}
await installMutant(troupeActor.data.laboratory.mutant)
// Only now may anything be loaded that the mutant changes.
await import('@troupe/lab/node-worker')
