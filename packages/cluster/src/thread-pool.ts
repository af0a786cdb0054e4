import type { ResolvedClusterOptions } from './options.ts'

/** LMDB writes on libuv's pool, which all workers of the process share: nodes without a thread wait for each other. */
export function warnOfSmallPool({ durability, logger }: ResolvedClusterOptions, nodes: number): void {
  const poolThreads = Number(process.env.UV_THREADPOOL_SIZE ?? 4)
  if (durability === 'memory' || poolThreads >= nodes) return
  const advice = 'set UV_THREADPOOL_SIZE to the number of nodes or more before the process starts'
  logger('warn', 'thread pool smaller than the cluster', { poolThreads, nodes, advice })
}
