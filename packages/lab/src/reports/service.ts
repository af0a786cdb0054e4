/** What clients got over time, in bins; and how far replicas were behind. */
import type { Story } from './story.ts'

export interface ServiceBins {
  /** The middle of each bin, in ms. */
  readonly atMs: readonly number[]
  readonly answeredPerSecond: readonly number[]
  readonly failedPerSecond: readonly number[]
  /** Of what was answered in the bin; null where nothing was. */
  readonly p50Ms: readonly (number | null)[]
  readonly maxMs: readonly (number | null)[]
}

const BINS = 100
const SHORTEST_MS = 20

export function serviceOf({ operations, startMs, endMs }: Story): ServiceBins {
  const width = Math.max(SHORTEST_MS, (endMs - startMs) / BINS)
  const count = Math.max(1, Math.ceil((endMs - startMs) / width))
  const answered: number[][] = Array.from({ length: count }, () => [])
  const failed = new Array<number>(count).fill(0)
  for (const { atMs, outcome, tookMs } of operations) {
    const bin = Math.max(0, Math.min(count - 1, Math.floor((atMs - startMs) / width)))
    if (outcome === 'ok') answered[bin]?.push(tookMs)
    else failed[bin] = (failed[bin] ?? 0) + 1
  }
  for (const times of answered) times.sort((left, right) => left - right)
  return {
    atMs: answered.map((_, bin) => startMs + (bin + 0.5) * width),
    answeredPerSecond: answered.map(({ length }) => (length * 1000) / width),
    failedPerSecond: failed.map((many) => (many * 1000) / width),
    p50Ms: answered.map((times) => times[Math.floor((times.length - 1) / 2)] ?? null),
    maxMs: answered.map((times) => times.at(-1) ?? null),
  }
}

export interface ReplicaLag {
  readonly atMs: readonly number[]
  readonly nodes: readonly { readonly node: string; readonly entries: readonly (number | null)[] }[]
}

/** How many committed entries each node had not applied; null while it was down. */
export function replicaLagOf({ logs, events, startMs, endMs, members }: Story): ReplicaLag {
  const samples = Math.max(2, Math.min(200, Math.ceil((endMs - startMs) / 10)))
  const atMs = Array.from({ length: samples }, (_, at) => startMs + ((endMs - startMs) * (at + 1)) / samples)
  const applied = new Map<string, number | null>()
  const lines = members.map((node) => ({ node, entries: [] as (number | null)[] }))
  let committed = 0
  let next = 0
  const changes = events.filter(({ kind }) => kind === 'log' || kind === 'stopped')
  for (const time of atMs) {
    for (let event = changes[next]; event !== undefined && event.atMs <= time; event = changes[++next]) {
      if (event.kind === 'stopped') applied.set(event.node, null)
      if (event.kind !== 'log') continue
      committed = Math.max(committed, event.commit)
      applied.set(event.node, event.applied)
    }
    for (const { node, entries } of lines) {
      const has = applied.get(node)
      entries.push(has === null || has === undefined ? null : Math.max(0, committed - has))
    }
  }
  return { atMs, nodes: logs.length === 0 ? [] : lines }
}
