/** What happened, one line for each event that a reader can follow. */
import type { Message, NodeEvent } from '@troupe/core'
import type { ClientEvent } from '@troupe/machines'
import type { Trace } from './trace.ts'
import type { NodeView, SimEvent } from './world-view.ts'

/** Where lines go, and what time it is. */
export interface TimelineHost {
  readonly nowMs: number
  readonly trace: Trace
}

export class Timeline {
  readonly #host: TimelineHost
  /** What the turn that goes on has sent and stored so far. */
  #doing: string[] = []

  constructor(host: TimelineHost) {
    this.#host = host
  }

  /** A line about the world. */
  text(text: string): void {
    this.#host.trace.line(`${this.#time()}      ${text}`)
  }

  note(event: SimEvent): void {
    switch (event.kind) {
      case 'sent':
        this.#doing.push(`→${event.message.to} ${describeMessage(event.message)}`)
        return
      case 'persisting': {
        const { token, hardState, truncateFrom, reset, repairs, entries, compactTo } = event.request
        const parts = [`store #${token}`]
        if (hardState !== undefined) parts.push(`t${hardState.term} v${hardState.vote || '-'}`)
        if (reset !== undefined) parts.push(`reset ${reset.index}`)
        if (truncateFrom !== undefined) parts.push(`cut ${truncateFrom}`)
        if (repairs.length > 0) parts.push(`repair ${repairs.map(({ index }) => index)}`)
        const [first, last] = [entries[0], entries.at(-1)]
        if (first !== undefined) parts.push(`+${first.index}..${last?.index} t${last?.term}`)
        if (compactTo !== undefined) parts.push(`compact ${compactTo.index}`)
        this.#doing.push(parts.join(' '))
        return
      }
      case 'turned':
        return this.#turned(event.node, event.events)
      case 'started':
      case 'crashed':
        this.#doing = event.kind === 'crashed' ? [] : this.#doing
        this.#host.trace.line(`${this.#time()} ${event.node.id} ${event.kind}, boot ${event.node.boot}`)
        return
    }
  }

  #turned(node: NodeView, events: readonly NodeEvent<ClientEvent>[]): void {
    const doing = this.#doing
    this.#doing = []
    const what = events.map(describeEvent)
    if (what.length === 0) what.push('timer')
    const tail = doing.length === 0 ? '' : ` | ${doing.join(', ')}`
    this.#host.trace.line(`${this.#time()} ${node.id} ${describeNode(node)} | ${what.join(', ')}${tail}`)
  }

  #time(): string {
    return this.#host.nowMs.toFixed(3).padStart(11)
  }
}

/** Role, term and indexes of a node, in columns. */
export function describeNode({ life }: NodeView): string {
  if (life === undefined) return 'down'
  const { role, term, commitIndex, lastIndex } = life.core
  return `${role.padEnd(12)} t${term} c${commitIndex} a${life.driver.applied} l${lastIndex}`
}

/** An event in a few words. */
export function describeEvent(event: NodeEvent<Pick<ClientEvent, 'kind'>>): string {
  switch (event.kind) {
    case 'peer':
      return `${event.message.from}→ ${describeMessage(event.message)}`
    case 'persisted':
      return `flushed #${event.token}`
    case 'diskSpace':
      return event.isFull ? 'disk is full' : 'disk has space'
    case 'snapshotSaved':
    case 'snapshotReceived':
      return `${event.kind} ${event.meta.index}`
    case 'control':
      return `control ${event.command.kind}`
    case 'client':
      return `client ${event.event.kind}`
    default:
      return `${event.kind} ${event.id}`
  }
}

/** A message in a few words. */
export function describeMessage(message: Message): string {
  const head = `${message.kind} t${message.term}`
  switch (message.kind) {
    case 'preVoteRequest':
    case 'voteRequest':
      return `${head} last ${message.lastIndex}/${message.lastTerm}`
    case 'preVoteReply':
    case 'voteReply':
      return `${head} ${message.granted ? 'yes' : 'no'}`
    case 'appendRequest': {
      const { prevIndex, prevTerm, entries, commit } = message
      return `${head} ${prevIndex}/${prevTerm} +${entries.length} c${commit}`
    }
    case 'appendReply':
      return message.accepted
        ? `${head} match ${message.matchIndex}`
        : `${head} no to ${message.rejected}, hint ${message.hintIndex}/${message.hintTerm}`
    case 'heartbeat':
      return `${head} c${message.commit} r${message.round}`
    case 'heartbeatReply':
      return `${head} r${message.round}`
    case 'snapshotOffer':
      return `${head} ${message.meta.index}/${message.meta.term}`
    case 'snapshotPull':
      return `${head} ${message.index}+${message.offset}`
    case 'snapshotChunk':
      return `${head} ${message.index}+${message.offset} ${message.data.byteLength} B`
    case 'repairRequest':
    case 'repairReply':
      return `${head} ${message.range.from}..${message.range.to}${'verdict' in message ? ` ${message.verdict}` : ''}`
    default:
      return 'id' in message ? `${head} #${message.id}` : head
  }
}
