export { Correlated, drawLatencyMs, GilbertElliottState, happens, LossStateChain, Turns } from './chance.ts'
export * from './check-fault.ts'
export * from './describe-fault.ts'
export * from './failpoints.ts'
export * from './fault-plane.ts'
export * from './faulty-store.ts'
export * from './faulty-transport.ts'
export * from './link-faults.ts'
export * from './node-failpoints.ts'
export * from './ports.ts'
export {
  type DirectedLink,
  type DrawnPartition,
  drawPartition,
  type Situation,
  selectLinks,
  selectNodes,
} from './selection.ts'
export * from './skewed-clock.ts'
export * from './vocabulary.ts'
