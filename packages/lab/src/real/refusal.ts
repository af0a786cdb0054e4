import { RaftError, type RaftErrorCode } from '@troupe/core'

/** What cannot be done, although it makes sense. */
export class Refusal extends Error {}

/** Of what is asked then nobody knows whether it will be done. */
const open: readonly (RaftErrorCode | undefined)[] = ['TIMEOUT', 'INDETERMINATE']

/** Whether an error says that something was not done, and will not be. */
export function isRefusal(error: unknown): boolean {
  if (!RaftError.is(error, 'NODE_UNAVAILABLE'))
    return !(error instanceof RaftError && open.includes(error.code))
  // A process says no in this way, and why behind it; without that it has died, or does not answer.
  const { code } = (error.cause ?? {}) as { readonly code?: RaftErrorCode }
  return code === undefined ? error.data.node === '' : !open.includes(code)
}
