/**
 * The worst day: the quorum of a cluster is gone for good. What is left of it, on stopped nodes, becomes a new cluster.
 *
 *     survivors, surveyed ─► the most up-to-date one's state ─► .recovering/: a node for each new member ─► switched over
 *
 * The new cluster has an id and incarnations of its own, so that a lost node that comes back can neither vote in it nor join
 * it. Its state is the chosen survivor's snapshot and log, behind which stands a configuration entry with the new members.
 * Nothing of the old cluster is deleted: its directories are kept under other names. See docs/adr/0012.
 */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import {
  type Configuration,
  type Entry,
  EntryKind,
  encodeConfiguration,
  encodeEntry,
  hasQuorum,
  incarnationIn,
  invalidOption,
  type NodeId,
  RaftError,
  simpleConfiguration,
} from '@troupe/core'
import {
  isDirectoryInUse,
  lockDirectory,
  type NodeSeed,
  type NodeSurvey,
  seedNodeDirectory,
  surveyNode,
  withSnapshotFile,
} from '@troupe/store'
import { GROUP } from './identities.ts'
import { ephemeralManifest, type Manifest, nodePath, readManifest, refused } from './manifest.ts'
import { resolveIds, resolveMachine } from './options.ts'
import { finishRecovery, type Recovery, stageRecovery, unfinishedRecovery } from './recovery-switch.ts'

/** What is left, and what is to be made of it. */
export interface RecoverOptions {
  /** The nodes whose directories are still there. One of them is chosen; all become members of the new cluster. */
  readonly survivors: readonly NodeId[]
  /** Survivors that may be chosen although they are damaged: then what stands behind the damage is lost. @default none */
  readonly damaged?: readonly NodeId[]
  /** The members of the new cluster, each of which begins with the chosen state. @default the survivors */
  readonly nodes?: readonly NodeId[]
  /** The machine, where cluster.json is lost too. @default as it says */
  readonly machine?: string | URL
  /** Told how far it is, from 0 to 1. */
  readonly onProgress?: (share: number) => void
}

/** A survivor as it was found. */
export interface Survivor {
  readonly id: NodeId
  /** The last entry that can be had of it. */
  readonly lastIndex: number
  readonly lastTerm: number
  /** The entry that its snapshot stands for; 0 where it has none, and needs none. */
  readonly snapshotIndex: number
  /** Why more cannot be had. Empty where it is whole. */
  readonly damage: readonly string[]
}

/** What a recovery would do, or has done. */
export interface RecoveryPlan {
  readonly directory: string
  /** The cluster that is given up. */
  readonly oldClusterId: string
  readonly survivors: readonly Survivor[]
  /** The survivor whose state the new cluster begins with. */
  readonly chosen: NodeId
  /** Voters of the old cluster that are no survivors: what only they have is lost. */
  readonly lost: readonly NodeId[]
  /** The survivors are a quorum, none of them damaged: the cluster can still be started as it is. */
  readonly isQuorum: boolean
  readonly machine: string
  readonly members: readonly NodeId[]
}

/** What was recovered. */
export interface RecoveryReport {
  readonly directory: string
  readonly clusterId: string
  readonly members: readonly NodeId[]
  /** Undefined where an earlier recovery was found cut off, and was finished. */
  readonly plan: RecoveryPlan | undefined
}

interface Survey extends NodeSurvey {
  readonly id: NodeId
}

interface Prepared {
  readonly plan: RecoveryPlan
  readonly chosen: Survey
  /** All nodes of the old cluster that are known. */
  readonly old: readonly NodeId[]
}

/**
 * Looks at the survivors and says what {@link recoverCluster} would do. Changes nothing.
 * @throws RaftError INVALID_OPTIONS; INVALID_DIRECTORY where a node is missing, runs, or belongs to another cluster;
 *   STORAGE_DAMAGED where a survivor is damaged and not named so; STORAGE_FAILED
 */
export async function planRecovery(directory: string, options: RecoverOptions): Promise<RecoveryPlan> {
  const path = resolve(directory)
  for (const node of existingNodes(path, options)) {
    if (isDirectoryInUse(node)) throw refused(node, 'it is in use: only stopped nodes can be recovered')
  }
  return (await prepare(path, options)).plan
}

/**
 * Makes a new cluster of what is left of one that has lost its quorum, in its directory. **May lose data**: whatever was
 * committed only with the copies of nodes that are no survivors; and what no quorum had agreed on may become committed.
 * A recovery that was cut off while it switched over is finished, whatever the options say.
 * @throws RaftError as {@link planRecovery}; then everything is as it was
 */
export async function recoverCluster(directory: string, options: RecoverOptions): Promise<RecoveryReport> {
  const path = resolve(directory)
  const unfinished = unfinishedRecovery(path)
  if (unfinished !== undefined) return reportOf(path, finishRecovery(path, unfinished), undefined)
  const locks = existingNodes(path, options).map((node) => lockDirectory(node))
  try {
    const prepared = await prepare(path, options)
    const staged = await stage(path, prepared, options)
    return reportOf(path, finishRecovery(path, staged), prepared.plan)
  } finally {
    for (const lock of locks) lock.release()
  }
}

function reportOf(directory: string, { manifest }: Recovery, plan: RecoveryPlan | undefined): RecoveryReport {
  const { clusterId, members } = manifest
  return { directory, clusterId, members: members.map(({ id }) => id), plan }
}

/** The directories of all nodes that are known, as far as they are there. */
function existingNodes(path: string, { survivors }: RecoverOptions): string[] {
  const members = readManifest(path)?.members.map(({ id }) => id) ?? []
  return [...new Set([...members, ...survivors])]
    .map((id) => nodePath(path, id))
    .filter((node) => existsSync(node))
}

// ---- looking

async function prepare(path: string, options: RecoverOptions): Promise<Prepared> {
  const { survivors, damaged = [], nodes = survivors } = options
  resolveNames('survivors', survivors)
  resolveNames('nodes', nodes)
  const stranger = damaged.find((id) => !survivors.includes(id))
  if (stranger !== undefined)
    throw invalidOption('damaged', stranger, `one of the survivors ${survivors.join(', ')}`)
  const manifest = readManifest(path)
  const surveys: Survey[] = []
  for (const id of survivors)
    surveys.push({ id, ...(await survey(path, id, manifest ?? surveys[0]?.identity)) })
  for (const { id, path: node, damage, last } of surveys) {
    if (damage.length > 0 && !damaged.includes(id)) throw isDamaged(id, node, damage, last.index)
  }
  const chosen = mostUpToDate(surveys)
  if (chosen.last.index === 0) throw refused(path, `no survivor holds anything (${survivors.join(', ')})`)
  const old = unique([...(manifest?.members.map(({ id }) => id) ?? []), ...survivors])
  return { plan: planOf(path, surveys, chosen, machineOf(manifest, options), nodes), chosen, old }
}

function resolveNames(field: string, names: readonly NodeId[]): void {
  try {
    resolveIds(names)
  } catch (error) {
    if (!RaftError.is(error, 'INVALID_OPTIONS')) throw error
    throw invalidOption(error.data.field.replace(/^nodes/, field), error.data.value, error.data.expected)
  }
}

async function survey(
  directory: string,
  id: NodeId,
  cluster: Pick<Manifest, 'clusterId'> | undefined,
): Promise<NodeSurvey> {
  const path = nodePath(directory, id)
  if (!existsSync(path)) throw refused(path, 'it is not there: no survivor')
  const found = await surveyNode(path)
  const { clusterId, nodeId, group } = found.identity
  const belongs = (what: string, is: unknown, wanted: unknown): void => {
    if (is !== wanted) throw refused(path, `it belongs to ${what} ${is}, expected ${wanted}`)
  }
  belongs('cluster', clusterId, cluster?.clusterId ?? clusterId)
  belongs('node', nodeId, id)
  belongs('group', group, GROUP)
  return found
}

function isDamaged(id: NodeId, path: string, damage: readonly string[], index: number): RaftError {
  const way = `leave ${id} out of the survivors, or name it as damaged to go on from entry ${index}`
  const reason = `it is damaged: ${damage.join('; ')}; ${way}`
  return new RaftError('STORAGE_DAMAGED', `node ${id} (${path}): ${reason}`, { path, reason })
}

/**
 * Whatever was committed and stands in the log of any survivor stands in this one's too (Raft §5.4.1): by the last term, then
 * by the last index. Of equals the first.
 */
function mostUpToDate(surveys: readonly Survey[]): Survey {
  return surveys.reduce((best, other) => {
    const isLater =
      other.last.term > best.last.term ||
      (other.last.term === best.last.term && other.last.index > best.last.index)
    return isLater ? other : best
  })
}

function machineOf(manifest: Manifest | undefined, { machine }: RecoverOptions): string {
  if (machine !== undefined) return resolveMachine(machine)
  if (manifest !== undefined) return manifest.machine
  throw invalidOption(
    'machine',
    undefined,
    'the machine of the cluster: there is no cluster.json that names it',
  )
}

function planOf(
  directory: string,
  surveys: readonly Survey[],
  { id: chosen, identity, configuration }: Survey,
  machine: string,
  members: readonly NodeId[],
): RecoveryPlan {
  const isWhole = (id: NodeId): boolean =>
    surveys.some(
      (survey) =>
        survey.id === id &&
        survey.damage.length === 0 &&
        survey.identity.incarnation === incarnationIn(configuration, id),
    )
  const isSurvivor = (id: NodeId): boolean => surveys.some((survey) => survey.id === id)
  const lost = votersOf(configuration).filter((id) => !isSurvivor(id))
  const isQuorum = configuration.voters.length > 0 && hasQuorum(configuration, isWhole)
  const survivors = surveys.map(survivorOf)
  const oldClusterId = identity.clusterId
  return { directory, oldClusterId, survivors, chosen, lost, isQuorum, machine, members: [...members] }
}

const votersOf = ({ voters, outgoing }: Configuration): NodeId[] =>
  unique([...voters, ...outgoing].map(({ id }) => id))

const survivorOf = ({ id, last, snapshot, damage }: Survey): Survivor => ({
  id,
  lastIndex: last.index,
  lastTerm: last.term,
  snapshotIndex: snapshot?.meta.index ?? 0,
  damage,
})

const unique = (ids: readonly NodeId[]): NodeId[] => [...new Set(ids)]

// ---- making

async function stage(
  path: string,
  { plan, chosen, old }: Prepared,
  options: RecoverOptions,
): Promise<Recovery> {
  const manifest = ephemeralManifest(plan.members, plan.machine)
  const { members } = manifest
  await stageRecovery(path, { manifest, old, chosen: plan.chosen }, async (staging) => {
    for (const [at, { id, incarnation }] of members.entries()) {
      const configuration = simpleConfiguration(members)
      const identity = { clusterId: manifest.clusterId, nodeId: id, incarnation, group: GROUP, configuration }
      const onProgress = (share: number): void => options.onProgress?.((at + share) / members.length)
      await withSeed(chosen, configuration, onProgress, (seed) =>
        seedNodeDirectory(nodePath(staging, id), identity, seed),
      )
    }
  })
  return { manifest, old, chosen: plan.chosen }
}

function withSeed(
  { snapshot, term, identity, ...state }: Survey,
  configuration: Configuration,
  onProgress: (share: number) => void,
  use: (seed: NodeSeed) => Promise<void>,
): Promise<void> {
  const rest = {
    hardState: { term: term + 1, vote: '', voteIncarnation: 0 },
    entries: () => recoveredEntries(state, configuration, term + 1),
  }
  if (snapshot === undefined) return use({ ...rest, snapshot })
  const { clusterId, group } = identity
  return withSnapshotFile(snapshot.path, { clusterId, group }, (file) => {
    // What the log says of members before its last entry counts for nothing any more.
    const meta = { ...file.meta, configuration, configurationIndex: 0 }
    const progress = (bytes: number): void => onProgress(bytes / meta.bytes)
    return use({ ...rest, snapshot: { meta, pieces: file.pieces }, onProgress: progress })
  })
}

/** What the survivor has, and behind it the new members, as a leader of a term of its own would have appended them. */
function* recoveredEntries(
  { path, last, entries }: Pick<Survey, 'path' | 'last' | 'entries'>,
  configuration: Configuration,
  term: number,
): Generator<readonly Entry[]> {
  let previous: Entry | undefined
  for (const batch of entries()) {
    previous = batch.at(-1)
    yield batch
  }
  if (previous !== undefined && previous.index !== last.index) {
    throw refused(path, 'its log has changed while it was read')
  }
  const index = last.index + 1
  const head = { index, term, kind: EntryKind.configuration, timeMs: last.timeMs, commandCount: 0 }
  const entry = { ...head, configurationIndex: index }
  yield [encodeEntry(entry, [encodeConfiguration(configuration)], crc32, previous)]
}
