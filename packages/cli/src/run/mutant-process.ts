/** Loaded first by the process of a node that is to have a bug on purpose: its name stands in the address of this module. */
import { installMutant } from '../sim/mutant-hook.ts'

await installMutant(new URL(import.meta.url).searchParams.get('mutant') ?? '')
