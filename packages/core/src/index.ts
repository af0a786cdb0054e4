export * from './application.ts'
export {
  changeConfiguration,
  checkConfiguration,
  decodeConfiguration,
  EMPTY_CONFIGURATION,
  encodeConfiguration,
  incarnationIn,
  isJoint,
  isVoter,
  leaveJoint,
  membersOf,
  type RefusedChange,
  simpleConfiguration,
} from './configuration.ts'
export { Damage } from './damage.ts'
export * from './driver.ts'
export * from './entry.ts'
export * from './errors.ts'
export * from './event.ts'
export { isPartOf, type KeptState } from './kept-state.ts'
export * from './message.ts'
export * from './options.ts'
export type { NodeStart } from './overlay/link-states.ts'
export { type Delivery, maxHops, Overlay, type OverlayMetrics, type OverlayPorts } from './overlay/overlay.ts'
export { type Route, routesFrom } from './overlay/routes.ts'
export {
  type OverlayPlan,
  type OverlayTopology,
  overlayTopologies,
  type PlannedLink,
  plannedLinks,
  planOverlay,
} from './overlay/topology.ts'
export * from './ports.ts'
export * from './proposal.ts'
export { hasQuorum, majority, quorumIndex } from './quorum.ts'
export { RaftCore, type RaftMetrics } from './raft-core.ts'
export { seededRandom } from './random.ts'
export * from './ready.ts'
export * from './restart-policy.ts'
export type * from './segment-space.ts'
export type * from './state-storage.ts'
export * from './types.ts'
