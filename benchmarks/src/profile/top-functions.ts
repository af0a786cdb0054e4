/** Which functions a thread was in, from its CPU profile. Pure. */
import type { CpuProfile, CpuProfileNode } from '@troupe/actor'

/** A function, and how long the thread was in it itself. */
export interface FunctionTime {
  readonly name: string
  /** File and line, `core/src/log.ts:12`; empty for what V8 and Node.js are made of. */
  readonly place: string
  readonly selfMs: number
  /** Of the time that was sampled and not idle, 0 to 1. */
  readonly share: number
  /** Together with all that it called; recursion counts once. */
  readonly totalMs: number
}

export interface ThreadProfile {
  readonly sampledMs: number
  /** Of the sampled time, 0 to 1: waiting for something to do. */
  readonly idleShare: number
  /** Of the time that is not idle, 0 to 1. */
  readonly garbageShare: number
  /** The longest first. */
  readonly functions: readonly FunctionTime[]
}

const US_PER_MS = 1000
const IDLE = '(idle)'
const GARBAGE = '(garbage collector)'

/** Time of each node of the call tree by itself, in microseconds. */
function selfTimes({ samples = [], timeDeltas = [] }: CpuProfile): Map<number, number> {
  const times = new Map<number, number>()
  for (const [at, id] of samples.entries()) {
    // A sample stands for the time up to the next one.
    const us = Math.max(0, timeDeltas[at + 1] ?? 0)
    times.set(id, (times.get(id) ?? 0) + us)
  }
  return times
}

/** `.../packages/core/src/log.ts` → `core/src/log.ts`. */
function placeOf({ callFrame: { url, lineNumber } }: CpuProfileNode): string {
  if (url === '') return ''
  const parts = url.split('/')
  const source = parts.lastIndexOf('src')
  const modules = parts.lastIndexOf('node_modules')
  const from = modules >= 0 ? modules + 1 : source > 0 ? source - 1 : Math.max(0, parts.length - 2)
  return `${parts.slice(from).join('/')}:${lineNumber + 1}`
}

const keyOf = (node: CpuProfileNode): string => {
  const { functionName, url, lineNumber, columnNumber } = node.callFrame
  return `${functionName}|${url}|${lineNumber}|${columnNumber}`
}

interface Sum {
  readonly node: CpuProfileNode
  selfUs: number
  totalUs: number
}

/** Adds up over the call tree, from `roots` down. */
function sumsOf(profile: CpuProfile): Map<string, Sum> {
  const self = selfTimes(profile)
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const called = new Set(profile.nodes.flatMap(({ children = [] }) => children))
  const sums = new Map<string, Sum>()
  const open = new Set<string>()
  const visit = (node: CpuProfileNode): number => {
    const key = keyOf(node)
    const sum = sums.get(key) ?? { node, selfUs: 0, totalUs: 0 }
    sums.set(key, sum)
    const isOutermost = !open.has(key)
    open.add(key)
    const own = self.get(node.id) ?? 0
    let total = own
    for (const id of node.children ?? []) total += visit(byId.get(id) as CpuProfileNode)
    if (isOutermost) open.delete(key)
    sum.selfUs += own
    if (isOutermost) sum.totalUs += total
    return total
  }
  for (const node of profile.nodes) if (!called.has(node.id)) visit(node)
  return sums
}

/** Where the thread's time went, by self time; functions without any are left out. */
export function profileOf(profile: CpuProfile): ThreadProfile {
  const sums = [...sumsOf(profile).values()]
  const selfOf = (name: string): number =>
    sums.reduce((us, { node, selfUs }) => us + (node.callFrame.functionName === name ? selfUs : 0), 0)
  const sampledUs = sums.reduce((us, { selfUs }) => us + selfUs, 0)
  const idleUs = selfOf(IDLE)
  const busyUs = sampledUs - idleUs
  const share = (us: number, of: number): number => (of === 0 ? 0 : us / of)
  const functions = sums
    .filter(({ node, selfUs }) => selfUs > 0 && node.callFrame.functionName !== IDLE)
    .map(({ node, selfUs, totalUs }) => ({
      name: node.callFrame.functionName || '(anonymous)',
      place: placeOf(node),
      selfMs: selfUs / US_PER_MS,
      share: share(selfUs, busyUs),
      totalMs: totalUs / US_PER_MS,
    }))
    .sort((left, right) => right.selfMs - left.selfMs)
  return {
    sampledMs: sampledUs / US_PER_MS,
    idleShare: share(idleUs, sampledUs),
    garbageShare: share(selfOf(GARBAGE), busyUs),
    functions,
  }
}
