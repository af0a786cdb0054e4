/** How `troupe up` tells what its cluster does: a table that is drawn anew, lines, or JSON. */
import type { CommandContext, OutputStream } from '@troupe/benchmarks'
import type { ClusterStatus, NodeReport } from '@troupe/cluster'
import { aligned, counted, paintFor } from '../output.ts'
import type { LocalEvent, LocalNode } from './local-cluster.ts'

/** A node as it is shown. What is not known is null. */
export interface NodeRow {
  readonly node: string
  readonly role: string | null
  readonly term: number | null
  readonly commit: number | null
  readonly applied: number | null
  readonly address: string | null
  readonly pid: number | null
  readonly restarts: number
  readonly state: string
}

export interface ClusterView {
  event(event: LocalEvent): void
  status(rows: readonly NodeRow[]): void
  /** The last word is said: nothing is drawn over any more. */
  end(): void
}

export function rowsOf(nodes: readonly LocalNode[], status: ClusterStatus | undefined): readonly NodeRow[] {
  return nodes.map(({ id, state, pid, address, restarts }) => {
    const report = status?.nodes.find((node) => node.id === id)
    const own = { node: id, address: address ?? null, pid: pid ?? null, restarts }
    if (state !== 'running' || report?.running !== true) {
      const isSilent = state === 'running' && report?.running === false
      return {
        ...own,
        role: null,
        term: null,
        commit: null,
        applied: null,
        state: isSilent ? 'silent' : state,
      }
    }
    const { role, term, commit, applied } = report
    return { ...own, role, term, commit, applied, state: stateOf(report) }
  })
}

function stateOf({ isDiskFull, damaged, leader }: Extract<NodeReport, { running: true }>): string {
  if (isDiskFull) return 'disk full'
  if (damaged.length > 0) return 'repairing'
  return leader === undefined ? 'no leader' : 'running'
}

/** What a person reads of an event. */
export function sentenceOf(event: LocalEvent): string {
  const { node } = event
  switch (event.event) {
    case 'starting':
      return `${node} starts${event.pid === undefined ? '' : `, process ${event.pid}`}`
    case 'started':
      return `${node} runs`
    case 'leads':
      return `${node} leads in term ${counted(event.term)}`
    case 'handed-over':
      return `${node} has handed leadership to ${event.to}`
    case 'ended':
      return `${node} has ended: ${event.reason}`
    case 'stopping':
      return `${node} is told to stop`
    case 'stopped':
      return `${node} has stopped`
    case 'removed':
      return `${node} is no member any more, and has stopped`
    case 'restarting':
      return `${node} is started again in ${event.delayMs} ms`
    case 'quarantined':
      return `${node} is left alone: ${event.reason}`
  }
}

export function viewFor(isJson: boolean, context: CommandContext): ClusterView {
  if (isJson) return jsonView(context.stdout)
  return context.stdout.isTTY === true ? new TableView(context) : lineView(context.stdout)
}

function lineView(out: OutputStream): ClusterView {
  return {
    event: (event) => out.write(`${sentenceOf(event)}\n`),
    status: () => {},
    end: () => {},
  }
}

/** A line of JSON for each event, and for each status that differs from the one before. */
function jsonView(out: OutputStream): ClusterView {
  let last = ''
  return {
    event: (event) => out.write(`${JSON.stringify(event)}\n`),
    status: (nodes) => {
      const text = JSON.stringify({ event: 'status', nodes })
      if (text !== last) out.write(`${text}\n`)
      last = text
    },
    end: () => {},
  }
}

const HEADS = ['node', 'role', 'term', 'commit', 'applied', 'address', 'restarts', 'state']

export function tableOf(rows: readonly NodeRow[]): string {
  const number = (value: number | null): string => (value === null ? '-' : counted(value))
  const cells = rows.map(({ node, role, term, commit, applied, address, restarts, state }) => {
    const numbers = [term, commit, applied].map(number)
    return [node, role ?? '-', ...numbers, address ?? '-', counted(restarts), state]
  })
  return aligned([HEADS, ...cells], [2, 3, 4, 6])
}

/** Events run through above, the table stands below them. */
class TableView implements ClusterView {
  readonly #out: OutputStream
  readonly #paint: ReturnType<typeof paintFor>
  #table = ''
  #drawnLines = 0

  constructor({ stdout, env }: CommandContext) {
    this.#out = stdout
    this.#paint = paintFor(stdout, env)
  }

  event(event: LocalEvent): void {
    const isBad = event.event === 'ended' || event.event === 'quarantined'
    const text = this.#paint(isBad ? 'red' : 'dim', sentenceOf(event))
    this.#draw(`${text}\n`)
  }

  status(rows: readonly NodeRow[]): void {
    // A terminal that does not know says 0.
    const width = (this.#out.columns || 120) - 1
    const lines = tableOf(rows).trimEnd().split('\n')
    // A line that wraps would count twice when it is drawn over.
    const table = lines.map((line) => line.slice(0, width)).join('\n')
    if (`\n${table}\n` === this.#table) return
    this.#table = `\n${table}\n`
    this.#draw('')
  }

  end(): void {
    this.#drawnLines = 0
    this.#table = ''
  }

  #draw(above: string): void {
    const back = this.#drawnLines === 0 ? '' : `\u001b[${this.#drawnLines}A\u001b[0J`
    this.#out.write(`${back}${above}${this.#table}`)
    this.#drawnLines = this.#table.split('\n').length - 1
  }
}
