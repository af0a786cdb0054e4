import { fileURLToPath } from 'node:url'

/** What runs in threads that load the sources with a bug on purpose. */
export const mutantWorker = fileURLToPath(import.meta.resolve('@troupe/cli/lab-mutant-worker'))

/** The module of nodes on threads that load the sources with a bug on purpose, whose name comes with what they are started with. */
export const mutantNode = (): URL => new URL(import.meta.resolve('@troupe/cli/lab-mutant-node'))
