/** The process that has a soak's cluster to itself: it is told a plan, and tells what happens. */
import { invariant } from '@troupe/core'
import type { SoakNews, SoakOrder, SoakPlan } from './soak-protocol.ts'
import { SoakRun } from './soak-run.ts'

const interruption = new AbortController()
const stop = (): void => interruption.abort()

/** Whoever started it may be gone. */
function tell(news: SoakNews): void {
  if (process.connected) process.send?.(news)
}

async function soak(plan: SoakPlan): Promise<void> {
  const { signal } = interruption
  try {
    await new SoakRun(plan, tell, signal).run()
    tell({ kind: 'ended' })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    tell(signal.aborted ? { kind: 'ended' } : { kind: 'failed', message })
  }
  // Nothing else is to keep this process: what does is left open.
  if (process.connected) process.disconnect?.()
}

invariant(process.send !== undefined, 'a soak runs in a child process')
// On a terminal Ctrl-C reaches both: the parent decides.
process.on('SIGINT', () => {})
process.on('SIGTERM', stop)
process.once('disconnect', stop)
process.on('message', (order: SoakOrder) => {
  if (order.kind === 'stop') stop()
  else void soak(order.plan)
})
