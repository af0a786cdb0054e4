/** `troupe node`: a node of a cluster, in this process, until it is told to end. */
import { once } from 'node:events'
import type { CommandContext } from '@troupe/benchmarks'
import { NodeProcess } from '@troupe/cluster/node-process'
import { parseOptions } from '../options.ts'
import { showHelp } from '../output.ts'
import { lineLogger } from './log-lines.ts'
import { nodeOptions, readNodeConfig } from './node-config.ts'

const PATH = 'troupe node'

const details = [
  'Each option may stand in the file too (logLevel for --log-level), or in an environment variable (TROUPE_LOG_LEVEL): a flag',
  'comes before a variable, a variable before the file. The file may have all options of a node, as NodeOptions has them: raft,',
  'batching, limits, durability, … Paths in it are meant from where it lies. Tokens stand in the file, or in',
  'TROUPE_CLIENT_TOKEN and TROUPE_CONTROL_TOKEN.',
  'When a cluster begins, all nodes of `peers` have to be up once. SIGTERM and Ctrl-C hand leadership over first. A node that is',
  'removed from the members says so, and ends with exit code 0; its directory is refused from then on.',
  'Logs go to stderr.',
]

/** Runs `troupe node ARGS`; resolves with the exit code. @throws RaftError as {@link NodeProcess.start} */
export async function node(args: readonly string[], context: CommandContext): Promise<number> {
  const parsed = parseOptions(args, nodeOptions, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, 'runs a node of a cluster', nodeOptions, details)
  const { signal, stderr } = context
  const { node: options, logging } = readNodeConfig(parsed.values, context)
  const running = await NodeProcess.start({ ...options, logger: lineLogger(logging, stderr) }, { signal })
  const told = signal.aborted ? Promise.resolve() : once(signal, 'abort')
  await Promise.race([told, running.ended])
  await running.stop()
  return 0
}
