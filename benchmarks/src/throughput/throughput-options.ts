/** The options of `bench throughput`. */
import type { ChoiceOption, OptionValues } from '../command.ts'
import type { EngineValues } from '../engine/start-cluster.ts'
import {
  clusterOptionTable,
  connectOptionTable,
  faultOption,
  lookOptionTable,
  outputOptionTable,
  readOptionTable,
  tcpOptionTable,
  windowOption,
  workloadOptionTable,
} from '../options.ts'

const enginesOption = {
  ...tcpOptionTable.engine,
  choices: [...tcpOptionTable.engine.choices, 'threads,tcp', 'tcp,tls', 'threads,tcp,tls'],
  help: `${tcpOptionTable.engine.help}; several: in turns, and their ratio`,
} as const satisfies ChoiceOption

export const optionTable = {
  window: windowOption,
  batch: {
    kind: 'integer',
    min: 1,
    max: 1 << 16,
    default: 1,
    help: 'commands of one call; above 1 proposeMany',
  },
  seconds: { kind: 'number', min: 0.1, unit: 's', default: 5, help: 'measured load of each run' },
  'warmup-seconds': { kind: 'number', min: 0, unit: 's', default: 0.5, help: 'load before it, not measured' },
  repeat: { kind: 'integer', min: 1, max: 1000, default: 1, help: 'do all runs so often; the median counts' },
  rig: { kind: 'flag', help: 'run the bare path beside it, in turns, and print the ratio' },
  ...lookOptionTable,
  fault: faultOption,
  ...readOptionTable,
  ...workloadOptionTable,
  ...clusterOptionTable,
  ...tcpOptionTable,
  engine: enginesOption,
  ...connectOptionTable,
  ...outputOptionTable,
} as const

type Values = OptionValues<typeof optionTable>

/** What another benchmark that runs this one need not give: where the nodes are. */
type Elsewhere = 'engine' | 'tls' | keyof typeof connectOptionTable

export type ThroughputValues = Omit<Values, Elsewhere> & EngineValues
