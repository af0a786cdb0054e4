/** In which order a writer writes, flushes and acknowledges: killing cannot tell, for what is written outlives it. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TRACED_CALLS, tracedCalls } from '@troupe/store'
import type { WriterTask } from './prove-writer.ts'
import { writerCommand, writerEnvironment } from './writer-process.ts'

const ACKS = 10

/** What a trace has shown; undefined calls where there was none. */
export interface TracedOrder {
  /** Before each acknowledgement: `w` a write to the data file, `s` a sync of it. */
  readonly calls: readonly string[] | undefined
  readonly isRight: boolean
  /** For people. */
  readonly text: string
}

/** Traces a writer for some acknowledgements, where strace is at hand and may trace. */
export async function traceOrder(path: string, durability: WriterTask['durability']): Promise<TracedOrder> {
  if (spawnSync('strace', ['-V']).error) return untraced('there is no strace here')
  const output = join(path, 'trace')
  const log = join(path, 'traced')
  const writer = writerCommand({ path: log, durability, seed: 1, outstanding: 1, limit: ACKS, isPlain: true })
  const options = ['-f', '-y', '-e', TRACED_CALLS, '-o', output]
  // In a group of its own: Ctrl-C is for the parent, which waits for this second.
  const stdio = ['ignore', 'ignore', 'pipe'] as const
  const child = spawn('strace', [...options, ...writer], {
    env: writerEnvironment(path),
    stdio: [...stdio],
    detached: true,
  })
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  const [code] = await once(child, 'close')
  if (/ptrace/i.test(complaints)) return untraced('strace may not trace here')
  if (code !== 0) return untraced(`strace ended with ${code}: ${complaints.trim()}`)
  return judged(readFileSync(output, 'utf8'), durability)
}

const untraced = (why: string): TracedOrder => ({
  calls: undefined,
  isRight: true,
  text: `the order of write, sync and acknowledgement was not traced: ${why}`,
})

function judged(trace: string, durability: WriterTask['durability']): TracedOrder {
  const calls = tracedCalls(trace, 'data.mdb')
  const witness = tracedCalls(trace, '/witness>')
  const isFlushed = durability === 'flush-before-ack'
  const isComplete = calls.length === ACKS && witness.length === ACKS
  const isRight =
    isComplete &&
    calls.every((step) => (isFlushed ? /w+s+w$/ : /w$/).test(step)) &&
    witness.every((step) => (isFlushed ? /ws$/ : /w$/).test(step)) &&
    // The meta page is written through a descriptor that flushes.
    (!isFlushed || /data\.mdb", [^)]*O_DSYNC/.test(trace))
  const order = isFlushed
    ? 'write, sync, meta page (O_DSYNC), acknowledgement'
    : 'write, acknowledgement; no sync'
  const text = isRight
    ? `traced: ${order}, ${ACKS} of ${ACKS} times`
    : `traced: not ${order}, but ${calls.join(' ')} and ${witness.join(' ')} of the witness before ${calls.length} acknowledgements`
  return { calls, isRight, text }
}
