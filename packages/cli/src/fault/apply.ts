/** `troupe fault apply FILE`: manifests of Chaos Mesh, at a cluster that runs. */
import type { CommandContext } from '@troupe/benchmarks'
import type { InjectedRemoteFault } from '@troupe/cluster'
import { MAX_FAULT_MS, type RemoteCluster } from '@troupe/cluster/remote'
import { invalidOption, seededRandom } from '@troupe/core'
import type { ChaosCluster, ChaosExperiment } from '@troupe/lab'
import { readBoundedText } from '@troupe/lab/bounded-file'
import { readChaosManifest } from '@troupe/lab/chaos-manifest'
import { parseAllDocuments } from 'yaml'
import { common } from '../node/operate.ts'
import { takeOperands } from '../operands.ts'
import { parseOptions, wantsHelp } from '../options.ts'
import { exitCodes, showHelp, writeJson } from '../output.ts'
import { withCluster } from './commands.ts'
import { toldText } from './fault-text.ts'
import { forMsOf } from './faults-of.ts'

const PATH = 'troupe fault apply'

const options = {
  pods: {
    kind: 'text',
    placeholder: 'FILE',
    help: 'which pod each node is: n1: {name: …, namespace: …, labels: {…}, annotations: {…}}',
  },
  for: {
    kind: 'text',
    placeholder: 'TIME',
    help: 'how long, where a manifest has no duration',
    otherwise: '30s',
  },
  strict: { kind: 'flag', help: 'a field without a meaning is an error, and nothing happens' },
  ...common,
} as const

const details = [
  'Takes NetworkChaos, PodChaos, IOChaos and TimeChaos of Chaos Mesh as they are: what has a meaning for the nodes is done, each',
  'field that has none is named on stderr. A file may hold several. Without --pods a pod has the name of a node, and the labels',
  'statefulset.kubernetes.io/pod-name, apps.kubernetes.io/pod-index and troupe/role (leader, follower); any other matches all nodes.',
]

/** Runs `troupe fault apply ARGS`. @throws RaftError INVALID_OPTIONS before anything happens, NODE_UNAVAILABLE */
export async function applyCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const summary = 'injects the faults of Chaos Mesh manifests'
  if (wantsHelp(args)) return showHelp(context, `${PATH} FILE`, summary, options, details)
  const { operands, rest } = takeOperands(args, ['FILE'], options, `${PATH} FILE`)
  const parsed = parseOptions(rest, options, PATH)
  if (parsed.kind === 'help') return exitCodes.pass
  const { values } = parsed
  const documents = documentsOf('FILE', operands[0] as string)
  const forMs = forMsOf(values.for)
  const pods = values.pods === undefined ? undefined : podsOf(values.pods)
  return withCluster(values, context, async (cluster) => {
    const { leader, nodes } = await cluster.status()
    const there = { leader, nodes: nodes.map(({ id }) => id), pods }
    const experiments = experimentsOf(documents, there)
    tellIgnored(experiments, values.strict, context)
    const injected = await injectAll(cluster, experiments, forMs)
    writeJson(values.json, injected, context)
    for (const fault of injected) {
      if (values.json !== '-') context.stdout.write(`${fault.id}\n`)
      context.stderr.write(`${fault.experiment}: ${toldText(fault)}`)
    }
    return exitCodes.pass
  })
}

/** All of them are read before the first is injected. */
function experimentsOf(documents: readonly unknown[], cluster: ChaosCluster): readonly ChaosExperiment[] {
  const random = seededRandom(Date.now())
  const experiments = documents.map((document) => readChaosManifest(document, cluster, random))
  for (const { name, forMs = 1 } of experiments) {
    if (forMs < 1 || forMs > MAX_FAULT_MS)
      throw invalidOption('spec.duration', `${forMs} ms (${name})`, 'a time from 1ms to 1h')
  }
  return experiments
}

function tellIgnored(
  experiments: readonly ChaosExperiment[],
  isStrict: boolean,
  { stderr }: CommandContext,
): void {
  for (const { name, ignored } of experiments) {
    for (const { field, reason } of ignored) {
      if (isStrict) throw invalidOption(`${name}: ${field}`, 'given', `nothing with --strict: ${reason}`)
      stderr.write(`${name}: ${field} has no meaning here: ${reason}\n`)
    }
  }
}

type Applied = InjectedRemoteFault & { readonly experiment: string }

/** Where one is refused, those before it are ended again. */
async function injectAll(
  { faults }: RemoteCluster,
  experiments: readonly ChaosExperiment[],
  otherwiseMs: number | undefined,
): Promise<readonly Applied[]> {
  const injected: Applied[] = []
  try {
    for (const { name, faults: wanted, forMs = otherwiseMs } of experiments) {
      const fault = await faults.inject(wanted, forMs === undefined ? {} : { forMs })
      injected.push({ experiment: name, ...fault })
    }
    return injected
  } catch (error) {
    for (const { id } of injected) await faults.destroy(id)
    throw error
  }
}

function documentsOf(field: string, path: string): readonly unknown[] {
  const documents = parseAllDocuments(readBoundedText(path, field))
  const found: unknown[] = []
  for (const document of Array.isArray(documents) ? documents : []) {
    const [error] = document.errors
    if (error !== undefined) throw invalidOption(field, path, `YAML: ${error.message.split('\n', 1)[0]}`)
    const value: unknown = document.toJS()
    if (value !== null && value !== undefined) found.push(value)
  }
  if (found.length === 0) throw invalidOption(field, path, 'a file with one manifest or more')
  return found
}

function podsOf(path: string): ChaosCluster['pods'] {
  const [found] = documentsOf('--pods', path)
  const isObject = (value: unknown): boolean =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject(found) || !Object.values(found as object).every(isObject))
    throw invalidOption('--pods', path, 'for each node an object: n1: {name: …, labels: {…}}')
  return found as NonNullable<ChaosCluster['pods']>
}
