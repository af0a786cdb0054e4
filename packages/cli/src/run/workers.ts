import { fileURLToPath } from 'node:url'

/** What runs in threads that load the sources with a bug on purpose. */
export const mutantWorker = fileURLToPath(import.meta.resolve('@troupe/cli/lab-mutant-worker'))

/** What processes of nodes load first that are to have that bug on purpose. */
export function mutantProcess(mutant: string): URL {
  const url = new URL(import.meta.resolve('@troupe/cli/lab-mutant-process'))
  url.searchParams.set('mutant', mutant)
  return url
}

/** The module of nodes on threads that load the sources with a bug on purpose, whose name comes with what they are started with. */
export const mutantNode = (): URL => new URL(import.meta.resolve('@troupe/cli/lab-mutant-node'))
