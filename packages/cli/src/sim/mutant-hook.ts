/**
 * Loads one source file with a bug in it (packages/sim/src/mutants). Patches the text of that module while it is loaded,
 * in this thread alone: nothing in the sources knows of it. Imports nothing that could be mutated, so that it is there first.
 */
import { registerHooks } from 'node:module'
import { mutantNamed, mutants, mutated } from '@troupe/sim/mutants'

/** Whether mutants can be applied: what is built and published loads no sources. */
export const isCheckout = import.meta.url.endsWith('.ts')

/** What to have instead of a published package. */
export const NEEDS_CHECKOUT = 'none: mutants are patches of the sources, and need a checkout of them'

/** From here to the folder of the packages. */
const PACKAGES = '../../../'

/**
 * From now on this thread loads the file of the mutant with its slip. To be awaited before anything of `@troupe/sim`,
 * but for its mutants, or of what that imports is loaded: import it dynamically afterwards.
 * @throws RaftError INVALID_OPTIONS where there is no such mutant, or there are no sources to patch
 */
export async function installMutant(name: string): Promise<void> {
  const mutant = mutantNamed(name)
  if (mutant === undefined || !isCheckout) {
    // Not before: it loads the core.
    const { invalidOption } = await import('@troupe/core')
    throw invalidOption('--mutant', name, isCheckout ? knownMutants() : NEEDS_CHECKOUT)
  }
  const target = new URL(PACKAGES + mutant.file, import.meta.url).href
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      return { ...loaded, source: mutated(textOf(loaded.source), mutant) }
    },
  })
}

/** For people: what may be named. */
export const knownMutants = (): string => `one of ${mutants.map(({ name }) => name).join(', ')}`

function textOf(source: unknown): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source as Uint8Array)
}
