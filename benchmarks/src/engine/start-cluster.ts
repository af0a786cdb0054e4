/** Starts a cluster of the engine that was asked for, or connects to one that runs already. */
import { randomBytes } from 'node:crypto'
import { type ClusterOptions, MAX_FAULT_MS, type TlsFileValues, tlsFilesOf } from '@troupe/cluster'
import { invalidOption } from '@troupe/core'
import { type LogAnswer, log } from '@troupe/machines'
import type { Bench } from '../bench.ts'
import { sustainedFaultOf } from '../faults/sustained-faults.ts'
import type { ConnectSettings } from '../tcp/connected-cluster.ts'
import type { WorkloadSpec } from '../workload.ts'
import type { ClientSource, LoadableCluster, TestedCluster } from './tested-cluster.ts'

/** What of the options decides who runs the nodes. */
export interface EngineValues extends TlsFileValues {
  readonly engine: string
  readonly durability: string
  readonly tls?: boolean
  readonly fault?: string
  readonly seconds?: number
  readonly connect?: string | undefined
}

/** For a title. Nothing for threads, which need no word. */
export const describeEngine = ({
  engine,
  tls,
  connect,
}: Pick<EngineValues, 'engine' | 'tls' | 'connect'>): string => {
  if (connect !== undefined) return `, the cluster at ${connect}`
  if (engine === 'threads') return ''
  return tls || engine === 'tls' ? ', processes over TLS' : ', processes over TCP'
}

/** What cannot be had, or not be known, of a cluster that somebody else runs. */
const OF_OUR_OWN = [
  'data',
  'linger-ms',
  'commit-linger-ms',
  'max-batch-bytes',
  'max-batch-commands',
  'max-inflight-messages',
  'max-uncommitted-entries',
  'rig',
  'stages',
  'profile',
  'tls',
] as const

/** Refuses values that do not go together. @throws RaftError INVALID_OPTIONS */
export function checkEngine(values: EngineValues): void {
  const { engine, durability, tls = false, fault = 'none', connect } = values
  if (connect !== undefined) return checkConnected(values)
  if (values['tls-authority'] !== undefined)
    throw invalidOption('--tls-authority', values['tls-authority'], 'nothing without --connect')
  const hasThreads = engine.includes('threads')
  if (tls && hasThreads && !engine.includes(','))
    throw invalidOption('--tls', tls, 'nothing, with --engine threads')
  if (engine === 'threads') return
  if (durability === 'memory')
    throw invalidOption('--durability', durability, 'one with files, for nodes that are processes')
  const seconds = values.seconds ?? 0
  if ((sustainedFaultOf(fault)?.lasting ?? []).length > 0 && seconds * 1000 >= MAX_FAULT_MS)
    throw invalidOption('--seconds', seconds, 'less than an hour, with a fault of processes')
}

function checkConnected(values: EngineValues): void {
  const { engine, fault = 'none' } = values
  if (engine !== 'threads')
    throw invalidOption('--engine', engine, 'nothing, with --connect: that cluster runs as it does')
  if (fault !== 'none')
    throw invalidOption('--fault', fault, 'nothing, with --connect: those nodes are not ours to crash')
  const given = values as unknown as Readonly<Record<string, unknown>>
  const wrong = OF_OUR_OWN.find((name) => given[name] !== undefined && given[name] !== false)
  if (wrong !== undefined)
    throw invalidOption(`--${wrong}`, given[wrong], 'nothing, with --connect: it is for nodes of our own')
  connectSettings(values, {})
}

/** @throws RaftError INVALID_OPTIONS for TLS files that do not go together */
export function connectSettings(values: EngineValues, env: Bench['env']): ConnectSettings {
  const { connect = '' } = values
  return {
    seeds: connect.split(','),
    ...tlsFilesOf(values),
    clientToken: env['TROUPE_CLIENT_TOKEN'],
    controlToken: env['TROUPE_CONTROL_TOKEN'],
  }
}

/** @param name of its folder in the data directory */
export async function startTested(
  bench: Bench,
  name: string,
  values: EngineValues,
  options: ClusterOptions,
): Promise<LoadableCluster & ClientSource> {
  const { connect, fault = 'none' } = values
  if (connect !== undefined) return bench.connect(connectSettings(values, bench.env))
  return startOurs(bench, name, values, fault === 'none' ? options : { ...options, faults: true })
}

/** The same, for what is done to nodes of our own. Faults have to be asked for in `options`. */
export async function startOurs(
  bench: Bench,
  name: string,
  { engine, tls = false }: EngineValues,
  options: ClusterOptions,
): Promise<TestedCluster & ClientSource> {
  if (engine === 'threads') return bench.startCluster(name, options)
  return bench.startProcesses(name, options, tls || engine === 'tls')
}

const PREFIX_BYTES = 4

/**
 * The workload with what keeps it apart from the data of others: keys of its own, and the log's length before.
 * @throws RaftError TIMEOUT and others, where nobody answers
 */
export async function besideOthers(cluster: LoadableCluster, workload: WorkloadSpec): Promise<WorkloadSpec> {
  if (workload.machine !== 'log') {
    return { ...workload, keyPrefix: `b${randomBytes(PREFIX_BYTES).toString('hex')}-` }
  }
  await using client = await cluster.client()
  const { next } = await client.query<LogAnswer>(log.range())
  return { ...workload, logStart: next }
}
