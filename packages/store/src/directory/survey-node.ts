/**
 * What can be had of a stopped node whose cluster has lost its quorum, read without changing anything: the furthest state
 * that its snapshots and its log make together, and what stands in the way of more.
 *
 *     snapshots (latest first, verified) ×  log (scanned)  ─►  snapshot + entries behind it, without a gap
 */
import { basename, join } from 'node:path'
import {
  type Configuration,
  decodeConfiguration,
  decodeEntry,
  type Entry,
  entryPayload,
  RaftError,
  type SnapshotMeta,
} from '@troupe/core'
import { type FoundLog, type FoundSegment, scanLog } from '../log/log-scan.ts'
import type { LogOwner } from '../log/segment-records.ts'
import { scanSegment } from '../log/segment-scan.ts'
import { listSnapshots, verifySnapshotFile } from '../snapshots/snapshot-file.ts'
import { indexOfName } from '../snapshots/snapshot-format.ts'
import { refuseUnsynced } from '../unsynced-mark.ts'
import { type DirectoryIdentity, readNodeIdentity } from './node-directory.ts'

/** The furthest state of a node. */
export interface NodeSurvey {
  readonly path: string
  readonly identity: DirectoryIdentity
  /** Undefined where the log goes back to its beginning. */
  readonly snapshot: { readonly path: string; readonly meta: SnapshotMeta } | undefined
  /** The last entry of the state: of the log, or the one that the snapshot stands for. 0/0 where there is nothing. */
  readonly last: { readonly index: number; readonly term: number; readonly timeMs: number }
  /** The configuration in effect at `last`. */
  readonly configuration: Configuration
  /** The highest term that the node has been in. */
  readonly term: number
  /** What the node has had beyond that state, or may have had. Empty where it is whole. */
  readonly damage: readonly string[]
  /** The entries behind the snapshot up to `last`, a segment at a time. */
  entries(): Iterable<readonly Entry[]>
}

/** Entries that are written at a time, by their bytes. */
const BATCH_BYTES = 4 << 20

/**
 * @throws RaftError INVALID_DIRECTORY where it is no node's directory, or one of another format; STORAGE_FAILED where it
 *   cannot be read
 */
export async function surveyNode(path: string): Promise<NodeSurvey> {
  const identity = readNodeIdentity(path)
  const log = new SurveyedLog(join(path, 'log', String(identity.group)), identity)
  const state = await furthest(path, identity, log)
  const entry = state.index > startOf(state) ? log.entryAt(state.index) : undefined
  const last = entry ?? state.snapshot?.meta ?? NOTHING
  return {
    path,
    identity,
    snapshot: state.snapshot,
    last: { index: last.index, term: last.term, timeMs: last.timeMs },
    configuration: configurationOf(log, state, entry) ?? identity.configuration,
    term: Math.max(log.term, last.term),
    damage: damageOf(log, state),
    entries: () => log.entries(startOf(state) + 1, state.index),
  }
}

const NOTHING = { index: 0, term: 0, timeMs: 0 }

/** A snapshot, or none, and how far the log goes on from it. */
interface Reach {
  readonly snapshot: NodeSurvey['snapshot']
  readonly index: number
  /** How far the node has been, or may have been. */
  readonly wanted: number
  readonly problems: readonly string[]
}

const startOf = ({ snapshot }: Pick<Reach, 'snapshot'>): number => snapshot?.meta.index ?? 0

async function furthest(
  path: string,
  { clusterId, group }: DirectoryIdentity,
  log: SurveyedLog,
): Promise<Reach> {
  let best = log.reachFrom(undefined)
  let lost = 0
  const problems: string[] = []
  for (const file of listSnapshots(join(path, 'snapshots')).reverse()) {
    if (file.kind !== 'complete' || file.group !== group) continue
    try {
      const { meta } = await verifySnapshotFile(file.path, { clusterId, group })
      const reach = log.reachFrom({ path: file.path, meta })
      // What comes before the first of them counts for nothing where the log stands beside it, however far it went.
      if (best.snapshot === undefined || reach.index > best.index) best = reach
      if (best.index >= Math.max(best.wanted, lost)) break
    } catch (error) {
      if (!RaftError.is(error, 'STORAGE_DAMAGED')) throw error
      problems.push(error.message)
      lost = Math.max(lost, indexOfName(basename(file.path)))
    }
  }
  return { ...best, wanted: Math.max(best.wanted, lost), problems }
}

function damageOf(log: SurveyedLog, { index, wanted, problems }: Reach): readonly string[] {
  if (index >= wanted) return log.doubts
  return [`entries ${index + 1} to ${wanted} cannot be had`, ...log.doubts, ...log.problems, ...problems]
}

function configurationOf(log: SurveyedLog, state: Reach, last: Entry | undefined): Configuration | undefined {
  const { configurationIndex = 0 } = last ?? {}
  const entry = configurationIndex > startOf(state) ? log.entryAt(configurationIndex) : undefined
  return (entry && decodeConfiguration(entryPayload(entry))) ?? state.snapshot?.meta.configuration
}

/** A log as it lies on the disk. */
class SurveyedLog {
  /** Why it may lack something that nobody can name. */
  readonly doubts: string[] = []
  readonly #owner: LogOwner
  readonly #found: FoundLog | undefined

  constructor(path: string, { clusterId, nodeId, incarnation, group }: DirectoryIdentity) {
    this.#owner = { clusterId, nodeId, incarnation, group }
    this.#found = this.#orDoubt(() => scanLog(path, this.#owner))
    this.#orDoubt(() => refuseUnsynced(path))
  }

  #orDoubt<T>(look: () => T): T | undefined {
    try {
      return look()
    } catch (error) {
      if (!RaftError.is(error, 'STORAGE_DAMAGED')) throw error
      this.doubts.push(error.message)
      return undefined
    }
  }

  get problems(): readonly string[] {
    return (this.#found?.problems ?? []).map(({ path, reason }) => `${path}: ${reason}`)
  }

  get term(): number {
    return this.#found?.hardState?.term ?? 0
  }

  reachFrom(snapshot: NodeSurvey['snapshot']): Reach {
    const index = startOf({ snapshot })
    const alone = { snapshot, index, wanted: index, problems: [] }
    if (this.#found === undefined) return alone
    const { base, lastIndex, damaged } = this.#found
    if (index < base.index) return { ...alone, wanted: lastIndex }
    if (index >= lastIndex || this.#isBeside(snapshot)) return alone
    const gap = damaged.find(({ to }) => to > index)
    const end = gap === undefined ? lastIndex : Math.max(index, gap.from - 1)
    return { ...alone, index: end, wanted: lastIndex }
  }

  /** Whether the snapshot was received in the place of what the log says (Raft §7). */
  #isBeside(snapshot: NodeSurvey['snapshot']): boolean {
    if (snapshot === undefined || this.#found === undefined) return false
    const { index, term } = snapshot.meta
    const { base } = this.#found
    const found = index === base.index ? base.term : this.entryAt(index)?.term
    return found !== undefined && found !== term
  }

  /** Undefined where it is damaged, or not there. */
  entryAt(index: number): Entry | undefined {
    const [entry] = this.#found?.segments.flatMap((segment) => this.#read(segment, index, index)) ?? []
    return entry
  }

  *entries(from: number, to: number): Generator<readonly Entry[]> {
    for (const segment of this.#found?.segments ?? []) {
      let batch: Entry[] = []
      let bytes = 0
      for (const entry of this.#read(segment, from, to)) {
        batch.push(entry)
        bytes += entry.record.byteLength
        if (bytes < BATCH_BYTES) continue
        yield batch
        batch = []
        bytes = 0
      }
      if (batch.length > 0) yield batch
    }
  }

  #read(segment: FoundSegment, from: number, to: number): Entry[] {
    const { firstIndex, lastIndex, sequence, path } = segment
    const entries: Entry[] = []
    if (Math.max(from, firstIndex) > Math.min(to, lastIndex)) return entries
    scanSegment(path, sequence, this.#owner, lastIndex, (index, record) => {
      if (index < Math.max(from, firstIndex) || index > to) return
      // What is visited is valid during the visit only.
      const entry = decodeEntry(record.slice())
      if (entry !== undefined) entries.push(entry)
    })
    return entries
  }
}
