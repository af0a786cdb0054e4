/** Behind bin/troupe.js: runs the command line of this process. */
import { constants } from 'node:os'
import { runCli } from './run-cli.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** By custom, 128 and the signal's number. */
const SIGNAL_EXIT_BASE = 128

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

const { stdout, stderr, env } = process
// Whoever reads no further (`| head`) has seen enough.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
const code = await runCli(process.argv.slice(2), { stdout, stderr, env, signal: interruption.signal })
process.exitCode = caught === undefined ? code : SIGNAL_EXIT_BASE + constants.signals[caught]
for (const signal of SIGNALS) process.removeAllListeners(signal)
