/** A backoff as the command line has it: `fixed,MS` or `exponential,MS,MS`. */
import { invalidOption } from '@troupe/core'
import type { MessageOptions } from '@troupe/machines'

type Backoff = NonNullable<MessageOptions['backoff']>

export const backoffOption = {
  kind: 'text',
  placeholder: 'KIND,MS[,MS]',
  help: 'how long a message waits after a failure: fixed,MS or exponential,MS,MS (the first wait, and the longest)',
} as const

/** @throws RaftError INVALID_OPTIONS */
export function backoffOf(text: string): Backoff {
  const [, kind, base, most = base] = /^(fixed|exponential),(\d{1,12})(?:,(\d{1,12}))?$/.exec(text) ?? []
  if (kind === undefined)
    throw invalidOption('--backoff', text, 'fixed,MS or exponential,MS,MS: the first wait, and the longest')
  return [kind as Backoff[0], Number(base), Number(most)]
}
