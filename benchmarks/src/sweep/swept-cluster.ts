/**
 * Whose nodes a sweep runs on: worker threads, processes over TCP, or those of somebody else. Of the latter it knows what its
 * client sets, and how many they are.
 */
import type { ClusterStatus } from '@troupe/cluster'
import { invalidOption } from '@troupe/core'
import { checkEngine, type EngineValues } from '../engine/start-cluster.ts'
import { type AxisName, axes, type SweepSettings } from './axes.ts'

/** What a client of any cluster decides by itself. */
const OF_CLIENTS: readonly AxisName[] = ['window', 'sizeBytes']

/** What nobody tells: NaN, so that nothing is concluded from it; null in JSON. */
const UNKNOWN = Number.NaN

interface GridOptions {
  readonly default: readonly number[]
}

/**
 * @param values as they were given, also those of the axes
 * @param table the options of the axes
 * @throws RaftError INVALID_OPTIONS for an engine that cannot be, and for axes that a client cannot set
 */
export function checkSwept(
  values: EngineValues & { readonly data: string | undefined; readonly 'stage-seconds': number },
  table: Readonly<Record<string, unknown>>,
): void {
  const { engine, tls = false, durability, connect, data } = values
  const files = {
    'tls-authority': values['tls-authority'],
    'tls-certificate': values['tls-certificate'],
    'tls-key': values['tls-key'],
  }
  checkEngine({ ...{ engine, tls, durability, connect, data }, ...files } as EngineValues)
  if (connect === undefined) return
  const given = values as unknown as Readonly<Record<string, readonly number[]>>
  for (const { name, option } of axes) {
    const value = given[option] ?? []
    if (OF_CLIENTS.includes(name) || String(value) === String((table[option] as GridOptions).default))
      continue
    throw invalidOption(
      `--${option}`,
      String(value),
      'nothing, with --connect: a client sets --window and --size',
    )
  }
}

/** The points as they are known where somebody else runs the nodes. */
export const pointsOfClient = (
  points: readonly SweepSettings[],
  { nodes }: Pick<ClusterStatus, 'nodes'>,
): SweepSettings[] =>
  points.map(({ window, sizeBytes }) => ({
    ...{ window, sizeBytes, nodes: nodes.length },
    ...{ maxBatchCommands: UNKNOWN, maxBatchBytes: UNKNOWN, lingerMs: UNKNOWN, maxInflightMessages: UNKNOWN },
    // Nothing is injected.
    ...{ delayMs: 0, flushMs: 0 },
  }))

/** Whose nodes: for rows, and for what tells measurements apart. */
export function sweptEngine({ engine, tls = false, connect, ...values }: EngineValues): {
  readonly engine: 'threads' | 'tcp' | 'connected'
  readonly tls: boolean | null
} {
  if (connect !== undefined) return { engine: 'connected', tls: values['tls-authority'] !== undefined }
  if (engine === 'threads') return { engine, tls: null }
  return { engine: 'tcp', tls: tls || engine === 'tls' }
}

/** Begins the key of a measurement; nothing for threads, whose keys are older than the others. */
export function engineKey(values: EngineValues): { readonly engine?: string } {
  const { engine, tls } = sweptEngine(values)
  if (engine === 'threads') return {}
  return { engine: [engine, tls ? 'tls' : '', values.connect ?? ''].join(' ').trim() }
}
