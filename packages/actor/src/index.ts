/**
 * An actor runtime on worker_threads. The main path: `Supervisor.spawn` starts a worker whose module calls
 * `runActor` (worker-host.ts); `connect` hands two actors the ends of a channel (mesh.ts); each makes a
 * `Link` of its end (link.ts), whose frames go into the actor's `Mailbox` (mailbox.ts).
 */

export {
  defaultRestartPolicy,
  RestartBudget,
  type RestartDecision,
  type RestartPolicy,
  resolveRestartPolicy,
} from '@troupe/core'
export {
  type ActorEvents,
  ActorHandle,
  type ActorLaunch,
  type ActorSpec,
  type ActorState,
  type EmitActorEvent,
} from './actor-handle.ts'
export { hrtimeMs } from './clock.ts'
export {
  type ControlOptions,
  type ControlProxy,
  controlProxy,
  exposeControl,
  type Invoke,
  type Remote,
} from './control.ts'
export { type CpuProfile, type CpuProfileNode, CpuProfiler } from './cpu-profiler.ts'
export { Link, type LinkHandlers, type LinkMetrics, type LinkWindow } from './link.ts'
export { Mailbox, type MailboxBatch, type MailboxMetrics, type MailboxOptions } from './mailbox.ts'
export { attach, connect, type PortReceiver } from './mesh.ts'
export type { PortMessage } from './protocol.ts'
export { Supervisor, type SupervisorOptions } from './supervisor.ts'
export { type ThreadUsage, threadUsage, type Utilization, utilizationBetween } from './thread-usage.ts'
export { type ActorContext, type ActorInstance, runActor } from './worker-host.ts'
export type { ExitInfo } from './worker-life.ts'
