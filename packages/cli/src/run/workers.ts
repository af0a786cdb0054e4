import { fileURLToPath } from 'node:url'

/** What runs in threads that load the sources with a bug on purpose. */
export const mutantWorker = fileURLToPath(import.meta.resolve('@troupe/cli/lab-mutant-worker'))
