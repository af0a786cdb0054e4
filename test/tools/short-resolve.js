/**
 * Loaded before everything else in every process and worker that the tests start (see `test/run.ts`): a node's worker
 * resolves a thousand imports of our own sources, and half the time of its start goes into that. Ours need no search:
 * a relative one names its file, and a package of ours is the same for all who name it.
 *
 * Plain JavaScript, and nothing where there are no hooks: a test may start an older Node.
 */
import module from 'node:module'
import v8 from 'node:v8'

// As `bin/troupe.js` does, and in the same words. Compiled code is kept under the flags that it was compiled with: of two
// processes that share a cache and differ in them each throws away, compiles and writes anew all that the other has left.
if (Number.parseInt(process.versions.v8, 10) >= 14) {
  v8.setFlagsFromString('--external-memory-accounted-in-global-limit')
}
// Megabytes: a worker that loads a node's modules collects its young generation once instead of while it grows.
v8.setFlagsFromString('--min-semi-space-size=4')

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
