/** The entry of a worker whose node is looked at. */
import { runNode } from '@troupe/cluster/run-node'
import { observeOnThread } from './observe-on-thread.ts'

runNode(observeOnThread)
