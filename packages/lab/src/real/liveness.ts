/**
 * After the faults: everything is healed, and the cluster has to find together again. One leader whom all members follow, fresh
 * writes and reads of every client, every key read once more, all at the same place with the same state, and then quiet.
 */
import { compareDigests } from '@troupe/check'
import type { NodeDigest, NodeStatus } from '@troupe/cluster'
import { isJoint, membersOf, RaftError } from '@troupe/core'
import type { RunFailure } from '../engine.ts'
import type { LivenessSpec } from '../scenario/scenario.ts'
import type { Mirror } from './mirror.ts'
import type { RealCluster } from './real-cluster.ts'
import type { RealWorld } from './real-world.ts'

export interface LivenessOptions {
  readonly cluster: RealCluster
  readonly world: RealWorld
  readonly mirror: Mirror
  readonly line: (text: string) => void
  /** Of its scenario. */
  readonly bounds: LivenessSpec
  readonly signal: AbortSignal
}

/** For each of its steps. */
const CONVERGE_MS = 60_000
const POLL_MS = 25
const JOINT = 'the configuration is joint'
/** How long nothing may happen to the leader. */
const QUIET_TIMEOUTS = 3

/** Undefined: it did, or was interrupted. */
export async function findTogether(options: LivenessOptions): Promise<RunFailure | undefined> {
  const { world, line, signal } = options
  const fail = (invariant: string, message: string): RunFailure => ({ invariant, message, atMs: world.nowMs })
  for (const [what, step] of steps) {
    const why = await step(options)
    if (signal.aborted) return undefined
    if (why !== undefined) {
      const { invariant, message } = typeof why === 'string' ? { invariant: 'liveness', message: why } : why
      return fail(invariant, `${what}: ${message}`)
    }
    line(`---- ${what}`)
  }
  return undefined
}

type Why = string | { readonly invariant: string; readonly message: string } | undefined
type LivenessStep = (options: LivenessOptions) => Promise<Why>

const steps: readonly (readonly [what: string, step: LivenessStep])[] = [
  ['one leader that everybody follows', (options) => together(options, false)],
  ['every client had fresh answers', freshAnswers],
  ['all are at the same place', (options) => together(options, true)],
  ['equal digests', equalDigests],
  ['quiet', quiet],
]

async function together({ cluster, signal, bounds }: LivenessOptions, isAtEnd: boolean): Promise<Why> {
  const { convergeWithin = CONVERGE_MS } = bounds
  const untilMs = performance.now() + convergeWithin
  for (;;) {
    const why = await unlessGone(async () => whyNotTogether(await cluster.status(), isAtEnd))
    // Left to be left by an operator, who was refused or does not know.
    if (why === JOINT) await unlessGone(async () => void (await cluster.leaveJoint()))
    if (why === undefined || signal.aborted) return undefined
    if (performance.now() > untilMs) return `not in ${convergeWithin} ms: ${why}`
    await new Promise((resume) => setTimeout(resume, POLL_MS))
  }
}

function whyNotTogether(statuses: readonly NodeStatus[], isAtEnd: boolean): string | undefined {
  const leader = statuses
    .filter(({ role }) => role === 'leader')
    .reduce<NodeStatus | undefined>((best, one) => ((best?.term ?? 0) > one.term ? best : one), undefined)
  if (leader === undefined) return `nobody leads: ${statesOf(statuses)}`
  const { configuration } = leader
  if (isJoint(configuration)) return JOINT
  for (const { id } of membersOf(configuration)) {
    const node = statuses.find((status) => status.id === id)
    if (node === undefined) return `${id} does not answer`
    if (node.leader !== leader.id || node.term !== leader.term) {
      return `${id} follows ${node.leader} in ${node.term}, not ${leader.id} in ${leader.term}`
    }
    const isThere = node.applied === leader.lastIndex && leader.commit === leader.lastIndex
    if (isAtEnd && !isThere) return `${id} is not at the end ${leader.lastIndex}: ${statesOf(statuses)}`
    if (node.damaged.length > 0) return `${id} has damage that is not repaired`
  }
  return undefined
}

const statesOf = (statuses: readonly NodeStatus[]): string =>
  statuses
    .map(({ id, role, term, commit, applied, lastIndex }) => {
      return `${id} ${role} t${term} c${commit} a${applied} l${lastIndex}`
    })
    .join(', ')

/** Of a queue: it is emptied. The last reads of all keys stand in the history: what was acknowledged and is gone cannot be explained then. */
async function freshAnswers({ world, mirror, bounds, signal }: LivenessOptions): Promise<Why> {
  const { convergeWithin: withinMs = CONVERGE_MS, freshReads = 1, freshWrites = 1 } = bounds
  const { clients, queue } = world
  if (queue !== undefined) return queue.drain(withinMs, signal)
  const at = mirror.members.at(-1)?.id
  const many = (count: number, ask: () => Promise<boolean>): Promise<boolean>[] =>
    Array.from({ length: count }, ask)
  const asked = clients.names.flatMap((name) => [
    ...many(freshWrites, () => clients.write(name, 'fresh', withinMs)),
    ...many(freshReads, () => clients.read(name, 'fresh', 'linearizable', withinMs)),
    ...many(freshReads, () => clients.read(name, 'fresh', 'follower', withinMs, at)),
    ...(mirror.plan.knobs.leaseReads
      ? many(freshReads, () => clients.read(name, 'fresh', 'lease', withinMs))
      : []),
  ])
  const [reader = ''] = clients.names
  asked.push(...[...clients.keys].map((key) => clients.read(reader, key, 'linearizable', withinMs)))
  const failed = (await Promise.all(asked)).filter((isAnswered) => !isAnswered).length
  return failed === 0 ? undefined : `${failed} of ${asked.length} failed, though nothing was wrong`
}

async function equalDigests({ cluster, mirror, signal, bounds }: LivenessOptions): Promise<Why> {
  const untilMs = performance.now() + (bounds.convergeWithin ?? CONVERGE_MS)
  const members = new Set(mirror.members.map(({ id }) => id))
  for (;;) {
    const why = await unlessGone(async () => {
      const digests = [...(await cluster.digests())].filter(([id]) => members.has(id))
      return whyDifferent(digests)
    })
    if (why === undefined || signal.aborted) return undefined
    if (typeof why !== 'string' || performance.now() > untilMs) return why
    await new Promise((resume) => setTimeout(resume, POLL_MS))
  }
}

function whyDifferent(digests: readonly (readonly [string, NodeDigest])[]): Why {
  const { verdict, divergences } = compareDigests(
    digests.map(([node, { applied, sha256 }]) => ({ node, applied, digest: sha256 })),
  )
  const [divergence] = divergences
  if (divergence !== undefined) {
    const message = `the states of ${divergence.differing.join(', ')} differ at ${divergence.applied}`
    return { invariant: 'equal digests', message }
  }
  return verdict === 'pass' ? undefined : 'the members do not come to the same place'
}

/** A node that dies as it is asked is only not there yet. */
async function unlessGone(ask: () => Promise<Why>): Promise<Why> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof RaftError) return error.message
    throw error
  }
}

/** Real time disturbs too: once it has to be quiet for so long. */
async function quiet({ mirror, signal, bounds }: LivenessOptions): Promise<Why> {
  const untilMs = performance.now() + (bounds.convergeWithin ?? CONVERGE_MS)
  const forMs = QUIET_TIMEOUTS * mirror.plan.knobs.electionTimeoutMaxMs
  for (;;) {
    const before = termsOf(mirror)
    await new Promise((resume) => setTimeout(resume, forMs))
    if (signal.aborted || termsOf(mirror) === before) return undefined
    if (performance.now() > untilMs) return `terms rise again and again: ${before}, then ${termsOf(mirror)}`
  }
}

const termsOf = (mirror: Mirror): string =>
  mirror.members.map(({ id }) => `${id} ${mirror.node(id)?.life?.core.term}`).join(', ')
