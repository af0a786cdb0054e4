/** The macro benchmarks as commands: `troupe bench NAME` runs them. */
import { checkPerfCommand } from './check-perf/check-perf.ts'
import { churnCommand } from './churn/churn.ts'
import type { Command } from './command.ts'
import { compareCommand } from './compare/compare.ts'
import { electionCommand } from './election/election.ts'
import { heartbeatCommand } from './heartbeat/heartbeat.ts'
import { latencyCommand } from './latency/latency-bench.ts'
import { logCommand } from './log-bench.ts'
import { mainCommand } from './main-job.ts'
import { memoryCommand } from './memory/memory.ts'
import { microCommand } from './micro/micro-command.ts'
import { queueCommand } from './queue/queue-bench.ts'
import { rigCommand } from './rig/rig-bench.ts'
import { sweepCommand } from './sweep/sweep.ts'
import { throughputCommand } from './throughput/throughput.ts'
import { topologyCommand } from './topology/topology.ts'
import { runCommandOf } from './workload-file/run-command.ts'

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
  NumberOption,
  NumbersOption,
  OptionSpec,
  OptionTable,
  OptionValues,
  OutputStream,
  TextOption,
} from './command.ts'
export { exitCodes } from './command.ts'
export { soakCommand } from './soak/soak-command.ts'

/** In the order of `troupe bench --help`. The first is what `troupe bench` alone runs. */
export const commands: readonly Command[] = [
  mainCommand,
  throughputCommand,
  latencyCommand,
  electionCommand,
  churnCommand,
  heartbeatCommand,
  memoryCommand,
  sweepCommand,
  logCommand,
  topologyCommand,
  rigCommand,
  compareCommand,
  queueCommand,
  checkPerfCommand,
  microCommand,
  runCommandOf(() => commands),
]
