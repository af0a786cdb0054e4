/** The macro benchmarks as commands: `troupe bench NAME` runs them. Each loads what it needs once it is asked for. */
import type { Command, ListedCommand } from './command.ts'

export {
  checkThresholds,
  type Measures,
  readThresholds,
  type ThresholdCheck,
  type ThresholdFinding,
  type Thresholds,
} from './check-perf/thresholds.ts'
export type {
  ChoiceOption,
  Command,
  CommandContext,
  FlagOption,
  IntegersOption,
  ListedCommand,
  NumberOption,
  NumbersOption,
  OptionSpec,
  OptionTable,
  OptionValues,
  OutputStream,
  TextOption,
} from './command.ts'
export { exitCodes } from './command.ts'

/** In the order of `troupe bench --help`. The first is what `troupe bench` alone runs. */
export const commands: readonly ListedCommand[] = [
  { name: 'main', load: async () => (await import('./main-job.ts')).mainCommand },
  { name: 'throughput', load: async () => (await import('./throughput/throughput.ts')).throughputCommand },
  { name: 'latency', load: async () => (await import('./latency/latency-bench.ts')).latencyCommand },
  { name: 'election', load: async () => (await import('./election/election.ts')).electionCommand },
  { name: 'churn', load: async () => (await import('./churn/churn.ts')).churnCommand },
  { name: 'heartbeat', load: async () => (await import('./heartbeat/heartbeat.ts')).heartbeatCommand },
  { name: 'memory', load: async () => (await import('./memory/memory.ts')).memoryCommand },
  { name: 'sweep', load: async () => (await import('./sweep/sweep.ts')).sweepCommand },
  { name: 'log', load: async () => (await import('./log-bench.ts')).logCommand },
  { name: 'topology', load: async () => (await import('./topology/topology.ts')).topologyCommand },
  { name: 'rig', load: async () => (await import('./rig/rig-bench.ts')).rigCommand },
  { name: 'compare', load: async () => (await import('./compare/compare.ts')).compareCommand },
  { name: 'queue', load: async () => (await import('./queue/queue-bench.ts')).queueCommand },
  { name: 'check perf', load: async () => (await import('./check-perf/check-perf.ts')).checkPerfCommand },
  { name: 'micro', load: async () => (await import('./micro/micro-command.ts')).microCommand },
  {
    name: 'run',
    load: async () => (await import('./workload-file/run-command.ts')).runCommandOf(() => loadAll(commands)),
  },
]

export const soakCommand: ListedCommand = {
  name: 'soak',
  load: async () => (await import('./soak/soak-command.ts')).soakCommand,
}

export const loadAll = (listed: readonly ListedCommand[]): Promise<Command[]> =>
  Promise.all(listed.map(({ load }) => load()))
