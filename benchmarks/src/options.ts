/** Options that several benchmarks share, and what a cluster makes of them. */
import type { ClientSettings, ClusterOptions } from '@troupe/cluster'
import { type Durability, invalidOption } from '@troupe/core'
import type {
  ChoiceOption,
  IntegersOption,
  NumberOption,
  OptionTable,
  OptionValues,
  TextOption,
} from './command.ts'
import { sustainedFaultNames, sustainedFaults } from './faults/sustained-faults.ts'
import type { ReadConsistency, ReadSpec } from './load/reads.ts'
import { Workload, type WorkloadSpec } from './workload.ts'

const knob = (help: string, otherwise: string): NumberOption => ({
  kind: 'integer',
  min: 1,
  help: `${help} (default: the engine's, ${otherwise})`,
})

const engineOption = {
  kind: 'choice',
  choices: ['threads'],
  default: 'threads',
  help: 'how the nodes run: this benchmark has worker threads of its process only',
} as const satisfies ChoiceOption

/** For benchmarks whose nodes may be processes too. */
export const tcpOptionTable = {
  engine: {
    kind: 'choice',
    choices: ['threads', 'tcp', 'tls'],
    default: 'threads',
    help: 'how the nodes run: as worker threads of this process, or as processes over TCP on the loopback; tls: over TLS',
  },
  tls: { kind: 'flag', help: 'mutual TLS between the processes and for their client: tcp is then as tls' },
} as const satisfies OptionTable

/** For benchmarks of clusters that run already. */
export const connectOptionTable = {
  connect: {
    kind: 'text',
    placeholder: 'LIST',
    otherwise: 'nodes of our own',
    help: 'load a cluster that runs already: host:port,host:port,…; the check counts what this load wrote',
  },
  'tls-authority': {
    kind: 'text',
    placeholder: 'FILE',
    otherwise: 'no TLS',
    help: 'the certificate of its authority: speak TLS',
  },
  'tls-certificate': {
    kind: 'text',
    placeholder: 'FILE',
    otherwise: 'none: TROUPE_CLIENT_TOKEN and TROUPE_CONTROL_TOKEN',
    help: 'a certificate that proves who this is',
  },
  'tls-key': { kind: 'text', placeholder: 'FILE', otherwise: 'none', help: 'the key of that' },
} as const satisfies OptionTable

/** The cluster and its data. */
export const clusterOptionTable = {
  engine: engineOption,
  nodes: {
    kind: 'integer',
    min: 1,
    max: 9,
    default: 3,
    help: 'nodes, each in a thread or process of its own',
  },
  durability: {
    kind: 'choice',
    choices: ['flush-before-ack', 'acked-before-flush', 'memory'],
    default: 'flush-before-ack',
    help: 'when a write counts as stored',
  },
  storage: {
    kind: 'choice',
    choices: ['memory', 'disk'],
    default: 'memory',
    help: 'where kv keeps its state',
  },
  data: {
    kind: 'text',
    placeholder: 'DIR',
    otherwise: 'a temporary directory, removed at the end',
    help: 'keep the data here; an empty directory, or one that is not there yet',
  },
  seed: { kind: 'integer', min: 0, default: 1, help: 'of everything random' },
  'linger-ms': {
    kind: 'number',
    min: 0,
    unit: 'ms',
    help: "wait at the leader for more commands before an entry is made (default: the engine's, 0)",
  },
  'commit-linger-ms': {
    kind: 'number',
    min: 0,
    unit: 'ms',
    help: "so long at most a small entry waits for the one before it to be committed (default: the engine's, 5)",
  },
  'max-batch-bytes': knob('bytes of commands in one entry', '1 MiB'),
  'max-batch-commands': knob('commands in one entry', '65,536'),
  'max-inflight-messages': knob('append messages on their way to one follower', '64'),
  'max-uncommitted-entries': knob('entries of the leader that are not committed yet', '64'),
} as const satisfies OptionTable

/** The commands. */
export const workloadOptionTable = {
  machine: {
    kind: 'choice',
    choices: ['kv', 'log'],
    default: 'kv',
    help: 'state machine: kv writes keys, log appends records',
  },
  size: {
    kind: 'integer',
    min: 1,
    max: 1 << 20,
    unit: 'bytes',
    default: 64,
    help: 'of one command, encoded: for kv the operation, the key and the value together',
  },
  keys: { kind: 'integer', min: 1, max: 10_000_000, default: 100_000, help: 'keys that kv writes to' },
} as const satisfies OptionTable

export const faultOption = {
  kind: 'choice',
  choices: ['none', ...sustainedFaultNames],
  default: 'none',
  help: `what is wrong while the load runs: ${Object.entries(sustainedFaults)
    .map(([name, { help }]) => `${name}: ${help}`)
    .join('; ')}`,
} as const satisfies ChoiceOption

/** Where time goes while the load runs. */
export const lookOptionTable = {
  stages: { kind: 'flag', help: 'print in which stages commands spend their time' },
  profile: {
    kind: 'text',
    placeholder: 'DIR',
    otherwise: 'none',
    help: 'write a V8 CPU profile of every actor, and print its top functions; the run is slower then',
  },
} as const satisfies OptionTable

/** Reads among the commands. */
export const readOptionTable = {
  reads: {
    kind: 'choice',
    choices: ['none', 'linearizable', 'lease', 'follower', 'stale'],
    default: 'none',
    help: 'calls that read, with this consistency, each checked against what was acknowledged before it',
  },
  mix: {
    kind: 'integer',
    min: 0,
    max: 100,
    unit: '% of the calls',
    help: 'how many calls read (default: all with --reads, none without); the others write',
  },
} as const satisfies OptionTable

export const jsonOption = {
  kind: 'text',
  placeholder: 'FILE',
  otherwise: 'none',
  help: "write the results as JSON; '-' for stdout, tables then go to stderr",
} as const satisfies TextOption

/** Where results go beside the terminal. */
export const outputOptionTable = {
  json: jsonOption,
  csv: { kind: 'text', placeholder: 'FILE', otherwise: 'none', help: 'write the runs as CSV, a line each' },
  markdown: {
    kind: 'text',
    placeholder: 'FILE',
    otherwise: 'none',
    help: 'write what is printed as Markdown',
  },
  html: {
    kind: 'text',
    placeholder: 'FILE',
    otherwise: 'none',
    help: 'write a page with pictures, in one file',
  },
} as const satisfies OptionTable

export const windowOption = {
  kind: 'integers',
  min: 1,
  max: 1 << 17,
  default: [1024],
  help: 'callers that each await their command before the next; a list makes a run of each',
} as const satisfies IntegersOption

export const rateOption = {
  kind: 'integer',
  min: 1,
  max: 1_000_000,
  unit: 'commands/s',
  default: 20_000,
  help: 'open loop: commands start at this rate, however slow the answers are',
} as const satisfies NumberOption

/** Of whichever benchmark: some have more engines. */
export type ClusterValues = Omit<OptionValues<typeof clusterOptionTable>, 'engine'> & {
  readonly engine: string
}
export type ReadValues = OptionValues<typeof readOptionTable>
export type WorkloadValues = OptionValues<typeof workloadOptionTable>

/** Which calls read; undefined where none does. @throws RaftError INVALID_OPTIONS for a mix of writes and nothing */
export function readSpec({ reads, mix }: ReadValues): ReadSpec | undefined {
  if (reads === 'none') {
    if (mix !== undefined && mix > 0)
      throw invalidOption('--mix', mix, 'a consistency beside it, as --reads lease')
    return undefined
  }
  const percent = mix ?? 100
  return percent === 0 ? undefined : { consistency: reads as ReadConsistency, percent }
}

/** What `Cluster.start` is given, without the directory. */
export function clusterOptions(
  values: ClusterValues,
  machine: string,
  reads?: ReadSpec,
): ClusterOptions & { readonly durability: Durability } {
  const given = <Value>(name: string, value: Value | undefined): Record<string, Value> =>
    value === undefined ? {} : { [name]: value }
  const isOnDisk = values.storage === 'disk'
  if (isOnDisk && machine !== 'kv')
    throw invalidOption('--storage', 'disk', `memory, with --machine ${machine}`)
  return {
    nodes: values.nodes,
    machine,
    ...given('machineOptions', isOnDisk ? { storage: 'disk' } : undefined),
    durability: values.durability,
    seed: values.seed,
    raft: {
      ...given('leaseReads', reads?.consistency === 'lease' ? true : undefined),
      ...given('maxInflightMessages', values['max-inflight-messages']),
      ...given('maxUncommittedEntries', values['max-uncommitted-entries']),
    },
    batching: {
      ...given('lingerMs', values['linger-ms']),
      ...given('commitLingerMs', values['commit-linger-ms']),
      ...given('maxBatchBytes', values['max-batch-bytes']),
      ...given('maxBatchCommands', values['max-batch-commands']),
    },
  }
}

/** @throws RaftError INVALID_OPTIONS where the size is too small for the keys */
export function workloadSpec(values: WorkloadValues & { readonly seed: number }): WorkloadSpec {
  const { machine, keys, size, seed } = values
  return new Workload({ machine, keys, sizeBytes: size, seed }).spec
}

const MAX_OUTSTANDING = 1 << 20

/**
 * Client settings with room for what the benchmark wants outstanding.
 * @throws RaftError INVALID_OPTIONS
 */
export function clientSettings(windows: readonly number[], batch: number): ClientSettings {
  const outstanding = Math.max(...windows) * batch
  if (outstanding > MAX_OUTSTANDING) {
    throw invalidOption('--window × --batch', outstanding, `at most ${MAX_OUTSTANDING} commands outstanding`)
  }
  return {
    maxOutstandingCommands: Math.max(16_384, 2 * outstanding),
    maxOutstandingQueries: Math.max(16_384, 2 * Math.max(...windows)),
    maxBatchCommands: Math.max(8192, batch),
  }
}

const CONFIGURATION_NAMES: Readonly<Record<string, string>> = {
  size: 'sizeBytes',
  batch: 'batchCommands',
  window: 'outstandingCalls',
  rate: 'commandsPerSecond',
  mix: 'readPercent',
}

/** Option values as they stand in the JSON document: camel case, with units. */
export function configurationOf(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values)
      .filter(([name]) => !Object.hasOwn(outputOptionTable, name))
      .map(([name, value]) => [CONFIGURATION_NAMES[name] ?? camelCase(name), value ?? null]),
  )
}

const camelCase = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
