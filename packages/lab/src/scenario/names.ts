/** Whom steps name: nodes and clients that are there, and names that were given before. */
import type { Path, Report } from '../schema/schema.ts'
import type { ClusterSpec, Scenario, WorkloadSpec } from './scenario.ts'
import { isSome, namesIn, nodeSets, type Selector, type SomeSelector, type Step } from './steps.ts'
import { type Visited, walk } from './walk.ts'

export const defaultVoters = 3
export const defaultClients = 3

/** `n1`, `n2`, …: voters, then learners, then spares. */
export function nodeNames({ voters = defaultVoters, learners = 0, spares = 0 }: ClusterSpec = {}): string[] {
  return Array.from({ length: voters + learners + spares }, (_, at) => `n${at + 1}`)
}

/** `c1`, `c2`, …. */
export const clientNames = ({ clients = defaultClients }: WorkloadSpec = {}): string[] =>
  Array.from({ length: clients }, (_, at) => `c${at + 1}`)

/** What may be named at a place. */
interface Known {
  readonly nodes: readonly string[]
  readonly clients: readonly string[]
  readonly selected: Set<string>
}

const sets: ReadonlySet<string> = new Set(nodeSets)

/** Reports names of nobody. */
export function checkNames({ cluster, workload, setup = [], phases }: Scenario, report: Report): void {
  const known = { nodes: nodeNames(cluster), clients: clientNames(workload), selected: new Set<string>() }
  for (const visited of [...walk(setup, ['setup']), ...walk(phases, ['phases'])])
    check(visited, known, report)
}

const targetFields = [
  'target',
  'from',
  'to',
  'add',
  'promote',
  'demote',
  'remove',
  'replace',
  'node',
] as const

function check(visited: Visited, known: Known, report: Report): void {
  const { kind, path } = visited
  const fields = visited.fields as Readonly<Record<string, Selector & { readonly on?: unknown }>>
  if (kind === 'select') {
    for (const [name, selector] of Object.entries(fields))
      checkSelection(name, selector, [...path, name], visited, known, report)
    return
  }
  if (typeof fields !== 'object' || fields === null) return
  const mayClients = kind === 'link' || kind === 'hangUp' || kind === 'toxic'
  for (const field of targetFields) {
    const selector = fields[field]
    if (selector !== undefined) checkSelector(selector, [...path, field], visited, known, mayClients, report)
  }
  const { on, groups, client } = fields as {
    readonly on?: { readonly from: Selector; readonly to: Selector }
    readonly groups?: readonly Selector[]
    readonly client?: string
  }
  if (on !== undefined) {
    for (const field of ['from', 'to'] as const) {
      checkSelector(on[field], [...path, 'on', field], visited, known, true, report)
    }
  }
  for (const [at, group] of (groups ?? []).entries()) {
    checkSelector(group, [...path, 'groups', at], visited, known, false, report)
  }
  if (client !== undefined && !known.clients.includes(client)) {
    report({ path: [...path, 'client'], value: client, expected: `one of ${known.clients.join(', ')}` })
  }
}

function checkSelection(
  name: string,
  selector: Selector,
  path: Path,
  visited: Visited,
  known: Known,
  report: Report,
): void {
  if (sets.has(name) || known.nodes.includes(name) || known.clients.includes(name)) {
    report({ path, value: name, expected: 'a name that means nothing else' })
  }
  checkSelector(selector, path, visited, known, false, report)
  known.selected.add(name)
}

function checkSelector(
  selector: Selector,
  path: Path,
  visited: Visited,
  known: Known,
  mayClients: boolean,
  report: Report,
): void {
  const { nodes, clients, selected } = known
  if (isSome(selector)) checkAmount(selector, path, nodes.length, report)
  for (const name of namesIn(selector)) {
    const isClient = name === 'clients' || clients.includes(name)
    const isParty = name === 'sender' || name === 'receiver'
    if (isClient && mayClients) continue
    if (isParty && visited.within.some(waitsForMessage)) continue
    if (nodes.includes(name) || selected.has(name) || (sets.has(name) && !isClient && !isParty)) continue
    const given = selected.size === 0 ? '' : `, or ${[...selected].join(', ')}, which select named`
    const why = isParty ? ' (sender and receiver only in a when with sends)' : ''
    report({ path, value: name, expected: `nodes: ${nodes.join(', ')}${given}, or a set of them${why}` })
  }
}

function checkAmount(
  { fixed, percent, maxPercent }: SomeSelector,
  path: Path,
  total: number,
  report: Report,
) {
  const given = Object.entries({ fixed, percent, maxPercent }).filter(([, value]) => value !== undefined)
  const [[field = '', amount = 0] = []] = given
  if (given.length !== 1) {
    const value = given.map(([name]) => name).join(' and ')
    return report({ path, value, expected: 'exactly one of fixed, percent, maxPercent' })
  }
  const isTooMany = field === 'fixed' && amount > total
  if (amount > 0 && !isTooMany) return
  report({
    path: [...path, field],
    value: amount,
    expected: isTooMany ? `at most ${total}` : 'some: above 0%',
  })
}

const waitsForMessage = (step: Step): boolean => 'when' in step && step.when.sends !== undefined
