/** The inside of a node's worker. */
import { runActor } from '@troupe/actor'
import type { NodeBirth, NodeControl, NodeNotice } from './node-control.ts'
import type { ObserveNode } from './node-observer.ts'
import { PortEdges } from './port-edges.ts'
import { RaftNode } from './raft-node.ts'

/** Runs a node in this worker, which a Cluster has made. To be called once, at the top level of its module. */
export function runNode(observe?: ObserveNode): void {
  runActor<NodeBirth>(async ({ data, reached, fail }) => {
    const { notices, faults, overlay, laboratory, record, ...settings } = data
    const tell = (notice: NodeNotice): void => notices.postMessage(notice)
    // Ports come once this has returned: by then the node has opened its edges.
    let edges: PortEdges | undefined
    // What few nodes have is no part of what all of them load.
    const faulty = faults && (await import('./faults/node-faults.ts'))
    const recording = record && (await import('./recording/new-recorder.ts'))
    const node = await RaftNode.open(settings, {
      openEdges: (...opening) => {
        edges = new PortEdges(...opening, overlay)
        return edges
      },
      notices: { tell, close: () => notices.close() },
      faults: faulty && new faulty.NodeFaults(faults, () => fail(undefined)),
      observer: observe?.((what) => tell({ kind: 'observed', record: what }), laboratory),
      recorder: record && recording?.newRecorder(record, tell),
      reached,
      fail,
    })
    const control: NodeControl = node
    return {
      control,
      onPort: (message) => edges?.add(message),
      farewell: () => node.farewell(),
      stop: () => node.stop(),
    }
  })
}
