/** The entry of a node's worker. */
import { runActor } from '@troupe/actor'
import type { NodeBirth, NodeControl } from './node-control.ts'
import { RaftNode } from './raft-node.ts'

runActor<NodeBirth>(async ({ data, fail }) => {
  const node = await RaftNode.open(data, fail)
  const control: NodeControl = node
  return {
    control,
    onPort: (message) => node.onPort(message),
    farewell: () => node.farewell(),
    stop: () => node.stop(),
  }
})
