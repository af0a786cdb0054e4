/** Reads what strace wrote of a process that appends to a log: in which order it wrote, flushed and acknowledged. */

const WRITES = /^(pwrite64|pwritev|pwritev2|write|writev)\(/
const SYNCS = /^(fdatasync|fsync|msync)\(/
/** What the process prints as it acknowledges begins so. */
const ACKNOWLEDGEMENT = '"ACK '

/** What {@link tracedCalls} has to know of: for strace's `-e`, with `-f` and `-y` beside it. */
export const TRACED_CALLS = 'trace=openat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,msync'

/**
 * The calls to files with `file` in their name before each acknowledgement, a letter for each as it returns: `w` a write,
 * `s` a sync. An acknowledgement counts as it begins: from then on it may be seen.
 */
export function tracedCalls(trace: string, file: string): string[] {
  const unfinished = new Map<string, string>()
  const steps: string[] = []
  let calls = ''
  const acknowledge = (): void => {
    steps.push(calls)
    calls = ''
  }
  for (const line of trace.split('\n')) {
    const [, thread = '', text = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    const isResumed = text.startsWith('<...')
    const call = isResumed ? (unfinished.get(thread) ?? '') : text
    if (!isResumed && call.includes(ACKNOWLEDGEMENT)) acknowledge()
    if (text.endsWith('<unfinished ...>')) unfinished.set(thread, text)
    else if (call.includes(file)) calls += SYNCS.test(call) ? 's' : WRITES.test(call) ? 'w' : ''
  }
  return steps
}
