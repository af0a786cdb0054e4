/** Behind bin/troupe.js: runs the command line of this process. */
import { constants } from 'node:os'
import { runCli } from './run-cli.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** By custom, 128 and the signal's number. */
const SIGNAL_EXIT_BASE = 128

/** Commands that run until they are told to end: for them a signal is no interruption. */
const SERVING: ReadonlySet<string | undefined> = new Set(['node', 'up'])

const interruption = new AbortController()
let caught: (typeof SIGNALS)[number] | undefined

for (const signal of SIGNALS) {
  process.on(signal, () => {
    // Whoever asks twice does not want to wait for the cleaning up; temporary data still goes.
    if (caught !== undefined) process.exit(SIGNAL_EXIT_BASE + constants.signals[signal])
    caught = signal
    interruption.abort()
  })
}

/** A node that another program has started over a channel ends with it. */
const isOwned = process.argv[2] === 'node' && process.connected
if (isOwned) process.once('disconnect', () => interruption.abort())

const { stdout, stderr, env } = process
// Whoever reads no further (`| head`) has seen enough.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
const args = process.argv.slice(2)
const code = await runCli(args, { stdout, stderr, env, signal: interruption.signal })
const signal = SERVING.has(args[0]) ? undefined : caught
process.exitCode = signal === undefined ? code : SIGNAL_EXIT_BASE + constants.signals[signal]
for (const each of SIGNALS) process.removeAllListeners(each)
process.removeAllListeners('disconnect')
if (isOwned && process.connected) process.disconnect?.()
