/**
 * The check after the load: every acknowledged command is there, once, and all replicas are equal.
 *
 * `kv` counts the writes of each key, so for every key: acknowledged ≤ version ≤ acknowledged + unknown. Less is a lost
 * write, more is one applied twice. `log` gives each record a position: acknowledged positions are all different and
 * before the log's end, and the log has at least as many records as were acknowledged, and at most the unknown ones
 * more.
 *
 * A client's commands are applied in the order in which it proposed them. Positions of a `log` show it for all of them; in
 * `kv` a key's value must be that of the last write that was acknowledged, which is looked at for a part of the keys.
 */
import type { Client } from '@troupe/cluster'
import { type KvEntry, kv, type LogAnswer, log } from '@troupe/machines'
import type { ObservedCluster } from './engine/tested-cluster.ts'
import { type KeyCounts, type PositionFindings, UNSURE } from './load/ledger.ts'
import { keyName, Workload, type WorkloadSpec } from './workload.ts'

export type Verdict = 'pass' | 'fail' | 'unknown'

export interface Losses {
  /** Acknowledged, and not there. */
  readonly lost: number
  /** Applied more often than proposed. */
  readonly duplicated: number
}

export interface Findings extends Losses {
  /** Applied in another order than their client proposed them. */
  readonly reordered: number
}

export interface Verification extends Findings {
  readonly verdict: Verdict
  /** Why it could not be decided. */
  readonly reason?: string
  readonly acknowledged: number
  /** Commands whose outcome the client could not tell (INDETERMINATE). */
  readonly unknown: number
  readonly digestsEqual: boolean
  /** SHA-256 of each replica's state. */
  readonly digests: Readonly<Record<string, string>>
}

/** What is known of the commands of a load that has ended. */
export interface Books {
  readonly workload: WorkloadSpec
  /** Acknowledged and unknown writes of each key. */
  readonly counts: KeyCounts
  totals(): Promise<{ readonly acknowledged: number; readonly unknown: number }>
  /** What the acknowledged positions of a `log` say, given where the log ends. */
  positions(next: number): Promise<PositionFindings>
}

const KEYS_PER_QUERY = 2000
/** Keys whose value is looked at: each is a query of its own. */
const MAX_VALUES_CHECKED = 10_000
const CONVERGE_TIMEOUT_MS = 60_000
const QUERY_TIMEOUT_MS = 30_000

/** Compares the versions of keys `from` on with what was acknowledged. */
export function checkVersions(
  counts: Pick<KeyCounts, 'acknowledged' | 'unknown'>,
  versions: readonly number[],
  from = 0,
): Losses {
  let lost = 0
  let duplicated = 0
  for (const [offset, version] of versions.entries()) {
    const acknowledged = counts.acknowledged[from + offset] as number
    const unknown = counts.unknown[from + offset] as number
    if (version < acknowledged) lost += acknowledged - version
    if (version > acknowledged + unknown) duplicated += version - acknowledged - unknown
  }
  return { lost, duplicated }
}

/** @param next how many records the log has got */
export function checkPositions(
  totals: { readonly acknowledged: number; readonly unknown: number },
  next: number,
  { repeated, beyond, reordered }: PositionFindings,
): Findings {
  const missing = Math.max(0, totals.acknowledged - next)
  return {
    lost: Math.max(missing, repeated + beyond),
    duplicated: Math.max(0, next - totals.acknowledged - totals.unknown),
    reordered,
  }
}

/** The verdict over what was found. */
export function verdictOf({ lost, duplicated, reordered }: Findings, digestsEqual: boolean): Verdict {
  return lost === 0 && duplicated === 0 && reordered === 0 && digestsEqual ? 'pass' : 'fail'
}

/**
 * Counts, waits for all replicas and compares them. No load may run. Does not throw for a cluster that fails: a loss
 * that was found stays one, and what could not be found out is `unknown`.
 */
export async function verify(cluster: ObservedCluster, load: Books): Promise<Verification> {
  const { acknowledged, unknown } = await load.totals()
  let found: Findings = { lost: 0, duplicated: 0, reordered: 0 }
  let digests: Record<string, string> = {}
  let reason: string | undefined
  try {
    found = await countLosses(cluster, load)
    await cluster.converged({ timeoutMs: CONVERGE_TIMEOUT_MS })
    digests = Object.fromEntries([...(await cluster.digests())].map(([id, { sha256 }]) => [id, sha256]))
    const missing = cluster.ids.filter((id) => digests[id] === undefined)
    if (missing.length > 0) reason = `${missing.join(', ')} did not run at the end`
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error)
  }
  const different = new Set(Object.values(digests)).size
  const findings = {
    acknowledged,
    unknown,
    ...found,
    digestsEqual: different === 1 && reason === undefined,
    digests,
  }
  const verdict = verdictOf(found, different <= 1)
  if (verdict === 'pass' && reason !== undefined) return { verdict: 'unknown', reason, ...findings }
  return { verdict, ...findings }
}

async function countLosses(cluster: ObservedCluster, load: Books): Promise<Findings> {
  await using client = await cluster.client({ timeoutMs: QUERY_TIMEOUT_MS })
  if (load.workload.machine === 'log') {
    const { next } = await client.query<LogAnswer>(log.range())
    const { logStart = 0 } = load.workload
    return checkPositions(await load.totals(), next - logStart, await load.positions(next))
  }
  const { keys } = load.workload
  let lost = 0
  let duplicated = 0
  for (let from = 0; from < keys; from += KEYS_PER_QUERY) {
    const count = Math.min(KEYS_PER_QUERY, keys - from)
    const names = Array.from({ length: count }, (_, offset) => keyName(from + offset, load.workload))
    const losses = checkVersions(load.counts, await client.query<number[]>(kv.versions(names)), from)
    lost += losses.lost
    duplicated += losses.duplicated
  }
  return { lost, duplicated, reordered: await countReordered(client, load) }
}

/** Keys, evenly spread, whose value is not that of the last write that was acknowledged. */
async function countReordered(client: Client, load: Books): Promise<number> {
  const workload = new Workload(load.workload)
  const { keys } = load.workload
  const step = Math.max(1, Math.floor(keys / MAX_VALUES_CHECKED))
  const checks: Promise<boolean>[] = []
  for (let key = 0; key < keys; key += step) {
    const last = load.counts.last[key] as number
    if (last === 0 || last === UNSURE) continue
    const expected = workload.valueAt(last - 1)
    const answer = client.query<KvEntry | undefined>(kv.get(keyName(key, load.workload)))
    checks.push(answer.then((entry) => entry?.value === expected))
  }
  return (await Promise.all(checks)).filter((isExpected) => !isExpected).length
}

/** Several verifications as one: the worst verdict, the sums. */
export function worstOf(verifications: readonly { readonly verdict: Verdict }[]): Verdict {
  if (verifications.some(({ verdict }) => verdict === 'fail')) return 'fail'
  return verifications.some(({ verdict }) => verdict === 'unknown') ? 'unknown' : 'pass'
}
