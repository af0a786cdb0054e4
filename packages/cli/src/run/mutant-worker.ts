/** What runs in the worker threads of scenarios with a bug on purpose: its name comes as workerData. */
import { workerData } from 'node:worker_threads'
import { installMutant } from '../sim/mutant-hook.ts'

const { mutant } = workerData as { readonly mutant: string }
await installMutant(mutant)
// Only now may anything be loaded that the mutant changes.
const { runSeeds } = await import('@troupe/lab/sim-worker')

// biome-ignore lint/style/noDefaultExport: piscina calls the default export of the file
export default runSeeds
