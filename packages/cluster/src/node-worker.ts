/** The entry of a node's worker. */
import { runNode } from './run-node.ts'

runNode()
