/** The process of a node, for the laboratory: told of new peers and of faults, it tells all that it does. */
import type { NodeProcess } from '@troupe/cluster'
import { type Handlers, runNodeChild } from '@troupe/cluster/children'
import { computerMs } from '../real/computer-clock.ts'
import { NodeProbe } from '../real/node-probe.ts'
import { chunkWriter } from './chunk-pipe.ts'
import type { LabCalls, ObservedAs } from './protocol.ts'

const handlersOf = (node: NodeProcess): Handlers<LabCalls> => ({
  addPeer: async ({ id, address }) => node.addPeer(id, address) as undefined,
  removePeer: async ({ id }) => node.removePeer(id) as undefined,
  injectFault: async (request) => {
    await node.faultDesk?.inject(request)
    return undefined
  },
  destroyFault: async ({ id }) => {
    node.faultDesk?.destroy(id)
    return undefined
  },
})

/** The pipe has the order: no numbers are needed. */
function probeOf({ path, index }: ObservedAs): NodeProbe {
  return new NodeProbe({ tell: chunkWriter(path, index), next: () => 0, nowMs: computerMs })
}

await runNodeChild<LabCalls>(([observed]) => ({
  hooks: observed === undefined ? undefined : { observer: probeOf(JSON.parse(observed) as ObservedAs) },
  handlers: handlersOf,
}))
