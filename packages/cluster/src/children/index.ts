/** Nodes as child processes, for whoever does things to them: benchmarks, the fault laboratory. */
export type { CommonCalls, NodeNews } from './child-protocol.ts'
export { NodeChild, type NodeChildSettings, type ProcessEnd } from './node-child.ts'
export { type Handlers, type NodeChildProgram, runNodeChild } from './run-node-child.ts'
