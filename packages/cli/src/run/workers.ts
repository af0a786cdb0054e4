import { fileURLToPath } from 'node:url'

/** What runs in threads that load the sources with a bug on purpose. */
export const mutantWorker = fileURLToPath(import.meta.resolve('@troupe/cli/lab-mutant-worker'))

/** The module of nodes on threads that load the sources with that bug. */
export function mutantNode(mutant: string): URL {
  const url = new URL(import.meta.resolve('@troupe/cli/lab-mutant-node'))
  url.searchParams.set('mutant', mutant)
  return url
}
