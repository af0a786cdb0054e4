/** A real node whose heap is filled until it dies of its limit. */
import type { RealCluster } from './real-cluster.ts'

/** The code of a death at the limit of a heap: Node.js's own, of a worker. */
export const OUT_OF_MEMORY = 'ERR_WORKER_OUT_OF_MEMORY'

const POLL_MS = 10
/** A heap that is to be filled is a small one: a second is much. */
const MOST_MS = 60_000

/** Resolves when it is dead, and has nothing to fill any more; nobody starts it. @throws where it does not die */
export async function dieOfItsHeap(
  cluster: Pick<RealCluster, 'isUp' | 'inject' | 'heal' | 'keepDown'>,
  node: string,
): Promise<void> {
  cluster.keepDown(node, true)
  try {
    const id = await cluster.inject({ kind: 'heap', nodes: [node], percent: 100 })
    try {
      await untilDown(cluster, node)
    } finally {
      await cluster.heal(id)
    }
  } finally {
    cluster.keepDown(node, false)
  }
}

async function untilDown(cluster: Pick<RealCluster, 'isUp'>, node: string): Promise<void> {
  const untilMs = performance.now() + MOST_MS
  while (cluster.isUp(node)) {
    if (performance.now() > untilMs) throw new Error(`${node} did not die of its heap within ${MOST_MS} ms`)
    await new Promise((resume) => setTimeout(resume, POLL_MS))
  }
}
