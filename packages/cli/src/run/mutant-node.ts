/** The entry of a worker whose node loads the sources with a bug on purpose: its name is in the URL. */
import { installMutant } from '../sim/mutant-hook.ts'

await installMutant(new URL(import.meta.url).searchParams.get('mutant') ?? '')
// Only now may anything be loaded that the mutant changes.
await import('@troupe/lab/node-worker')
