/**
 * Event logs for ShiViz (https://bestchai.bitbucket.io/shiviz/), which draws who could know of what: each event has the clock of
 * its node, a vector. A node's own part counts its events; a message takes the sender's clock with it.
 *
 *     sent n1 {n1:4} ──message 17──► received n2 {n1:4, n2:9}
 *
 * Clocks follow from the ids of messages alone: no engine has to keep any.
 */
import type { RunEvent } from './run-event.ts'

type Clock = Readonly<Record<string, number>>

export interface ClockedEvent {
  readonly host: string
  readonly clock: Clock
  readonly text: string
}

/** The expression by which ShiViz reads the file. */
const PARSER = '(?<event>.*)\\n(?<host>\\S*) (?<clock>{.*})'

/**
 * What happened at nodes and clients, with its clock. A message that was never seen to be sent is left out: it would be an
 * effect without a cause. So is what belongs to nobody.
 */
export function clockedEvents(events: readonly RunEvent[]): readonly ClockedEvent[] {
  const clocks = new Map<string, Record<string, number>>()
  const sent = new Map<string, Clock>()
  return events.flatMap((event): ClockedEvent[] => {
    const host = hostOf(event)
    if (host === undefined) return []
    const cause = event.kind === 'received' ? sent.get(event.message ?? '') : undefined
    if (event.kind === 'received' && cause === undefined) return []
    const clock = clocks.get(host) ?? {}
    clocks.set(host, clock)
    for (const [name, count] of Object.entries(cause ?? {})) clock[name] = Math.max(clock[name] ?? 0, count)
    clock[host] = (clock[host] ?? 0) + 1
    const now = { ...clock }
    if (event.kind === 'sent' && event.message !== undefined) sent.set(event.message, now)
    return [{ host, clock: now, text: textOf(event) }]
  })
}

/** The file that ShiViz opens. */
export function shivizOf(events: readonly RunEvent[]): string {
  const lines = clockedEvents(events).map(
    ({ host, clock, text }) => `${text}\n${host} ${JSON.stringify(clock)}`,
  )
  return `${PARSER}\n\n${lines.join('\n')}\n`
}

/** Whose event it is. The log of a node changes with nearly each message: that would hide all else. */
function hostOf(event: RunEvent): string | undefined {
  switch (event.kind) {
    case 'sent':
    case 'received':
    case 'role':
    case 'started':
    case 'stopped':
    case 'cut':
      return event.node
    case 'operation':
      return event.client
    default:
      return undefined
  }
}

function textOf(event: RunEvent): string {
  const at = `${event.atMs.toFixed(3)} ms`
  switch (event.kind) {
    case 'sent':
      return `${at} sends ${event.name} of term ${event.term} to ${event.to}`
    case 'received':
      return `${at} gets ${event.name} of term ${event.term} from ${event.from}`
    case 'role':
      return `${at} is ${event.role} in term ${event.term}`
    case 'cut':
      return `${at} loses ${event.entries} entries from ${event.index} on`
    case 'operation':
      return `${at} ${event.what}: ${event.outcome}`
    default:
      return `${at} ${event.kind}`
  }
}
