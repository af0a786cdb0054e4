/**
 * Loaded before everything else in every process and worker that the tests start (see `test/run.ts`): a node's worker
 * resolves a thousand imports of our own sources, and half the time of its start goes into that. Ours need no search:
 * a relative one names its file, and a package of ours is the same for all who name it.
 *
 * Plain JavaScript, and nothing where there are no hooks: a test may start an older Node.
 */
import module from 'node:module'

const root = new URL('../..', import.meta.url).href
/** Of `@troupe/...`: what the first search has found in this thread. */
const packages = new Map()

function isOurs(url) {
  return url?.startsWith(root) === true && !url.includes('/node_modules/')
}

module.registerHooks?.({
  resolve(specifier, context, nextResolve) {
    const { parentURL } = context
    if (!isOurs(parentURL)) return nextResolve(specifier, context)
    if (specifier.startsWith('.') && specifier.endsWith('.ts')) {
      const { href } = new URL(specifier, parentURL)
      return { url: href, format: 'module-typescript', shortCircuit: true }
    }
    if (specifier.startsWith('node:')) return { url: specifier, format: 'builtin', shortCircuit: true }
    if (!specifier.startsWith('@troupe/')) return nextResolve(specifier, context)
    const known = packages.get(specifier)
    if (known !== undefined) return known
    const found = { ...nextResolve(specifier, context), shortCircuit: true }
    packages.set(specifier, found)
    return found
  },
})
