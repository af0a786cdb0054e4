/** Events in words, for the end of a run that did not hold. */
import { type Html, table } from '@troupe/page'
import type { RunEvent } from '../events/run-event.ts'
import type { Story } from './story.ts'
import { clipped, moment, shortFault } from './words.ts'

const MOST = 60

/** What happened before it broke, in the order in which it did. */
export function lastWords({ events }: Story): Html {
  const told = events.filter(({ kind }) => kind !== 'terms' && kind !== 'end')
  return table(
    `The last ${Math.min(MOST, told.length)} events; the log has all`,
    [
      { title: 'at', value: ({ atMs }: RunEvent) => moment(atMs), align: 'left' },
      { title: 'where', value: whereOf, align: 'left' },
      {
        title: 'what',
        value: (event: RunEvent) => clipped(describeEvent(event)),
        align: 'left',
        isWrapped: true,
      },
    ],
    told.slice(-MOST),
  )
}

function whereOf(event: RunEvent): string {
  if ('node' in event) return event.node
  return 'client' in event ? event.client : ''
}

/** One event in a line. */
export function describeEvent(event: RunEvent): string {
  switch (event.kind) {
    case 'run':
      return `${event.case}, seed ${event.seed}`
    case 'phase':
      return `${event.phase} the faults`
    case 'members':
      return `members: ${event.nodes.join(', ')}`
    case 'started':
    case 'stopped':
      return `${event.kind}, boot ${event.boot}`
    case 'role':
      return `${event.role} in term ${event.term}${event.leader === undefined ? '' : `, follows ${event.leader}`}`
    case 'log':
      return `log to ${event.last} of term ${event.lastTerm}, committed ${event.commit}, applied ${event.applied}`
    case 'cut':
      return `loses ${event.entries} entries from ${event.index} on`
    case 'terms':
      return `its log has the terms ${event.terms.map(({ term }) => term).join(', ')}`
    case 'sent':
      return `→ ${event.to}: ${messageText(event)}`
    case 'received':
      return `← ${event.from}: ${messageText(event)}${event.isStale === true ? ', of an earlier term' : ''}`
    case 'operation':
      return `${event.what}: ${event.outcome}${event.code === undefined ? '' : ` (${event.code})`} after ${event.tookMs.toFixed(1)} ms`
    case 'fault':
      return `${event.edge === 'end' ? 'fault over' : 'fault'}: ${shortFault(event)}`
    case 'situation':
      return `reached: ${event.name}`
    case 'broken':
      return `BROKEN: ${event.invariant}: ${event.message}`
    case 'note':
      return event.text
    case 'end':
      return `the end: ${event.verdict}${event.reason === undefined ? '' : `, ${event.reason}`}`
  }
}

function messageText({
  name,
  term,
  index,
  entries,
  commit,
  isGranted,
}: Extract<RunEvent, { kind: 'sent' | 'received' }>): string {
  const parts = [`${name} of term ${term}`]
  if (isGranted !== undefined) parts.push(isGranted ? 'yes' : 'no')
  if (entries !== undefined) parts.push(`${entries} entries behind ${index}`)
  else if (index !== undefined) parts.push(`index ${index}`)
  if (commit !== undefined) parts.push(`committed ${commit}`)
  return parts.join(', ')
}
