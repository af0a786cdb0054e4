/** The `troupe` command: finds the command, and turns whatever goes wrong into one line and an exit code. */
import { readFileSync } from 'node:fs'
import type { CommandContext } from '@troupe/benchmarks'
import { RaftError, type RaftErrorCode } from '@troupe/core/errors'
import { groupHelp } from './help.ts'
import type { NamedCommand } from './named-command.ts'
import { exitCodes } from './output.ts'
import { unknownWord } from './usage-error.ts'

/** Each loads what it needs once it is asked for: a node, or a question to one, has no use for laboratory and benchmarks. */
const topCommands: readonly NamedCommand[] = [
  {
    name: 'backup',
    summary: "writes a verified backup file of a cluster's latest snapshot",
    run: async (...given) => (await import('./backup.ts')).backup(...given),
  },
  {
    name: 'bench',
    summary: 'measures a real cluster: throughput, elections, churn, memory',
    run: async (...given) => (await import('./bench.ts')).bench(...given),
  },
  {
    name: 'check',
    summary: 'checks a history of operations: linearizability, queues, sets',
    run: async (...given) => (await import('./check/check.ts')).check(...given),
  },
  {
    name: 'fault',
    summary: 'breaks a running cluster on purpose, for a while',
    run: async (...given) => (await import('./fault/fault.ts')).fault(...given),
  },
  {
    name: 'force-recover',
    summary: 'the last resort where a quorum is gone for good',
    run: async (...given) => (await import('./force-recover.ts')).forceRecover(...given),
  },
  {
    name: 'fuzz',
    summary: 'attacks the ports of a cluster of its own with broken streams',
    run: async (...given) => (await import('./fuzz/fuzz.ts')).fuzz(...given),
  },
  {
    name: 'up',
    summary: 'runs a cluster on this machine, and restarts what dies',
    run: async (...given) => (await import('./up/up.ts')).up(...given),
  },
  {
    name: 'node',
    summary: 'runs a node of a cluster over TCP, in this process',
    run: async (...given) => (await import('./node/node.ts')).node(...given),
  },
  {
    name: 'ca',
    summary: 'makes a test authority, and certificates of nodes, clients and operators',
    run: async (...given) => (await import('./ca.ts')).ca(...given),
  },
  {
    name: 'status',
    summary: 'shows the nodes of a running cluster, over TCP',
    run: async (...given) => (await import('./node/operate.ts')).operate('status')(...given),
  },
  {
    name: 'transfer',
    summary: 'hands leadership to another node, over TCP',
    run: async (...given) => (await import('./node/operate.ts')).operate('transfer')(...given),
  },
  {
    name: 'add',
    summary: 'makes a node that waits a member, over TCP',
    run: async (...given) => (await import('./node/operate.ts')).operate('add')(...given),
  },
  {
    name: 'remove',
    summary: 'takes a node out of the members, over TCP',
    run: async (...given) => (await import('./node/operate.ts')).operate('remove')(...given),
  },
  {
    name: 'snapshot',
    summary: 'lets a node take a snapshot, over TCP',
    run: async (...given) => (await import('./node/operate.ts')).operate('snapshot')(...given),
  },
  {
    name: 'queue',
    summary: 'sends to a queue, consumes it, looks at it, and proves that it loses nothing',
    run: async (...given) => (await import('./queue.ts')).queue(...given),
  },
  {
    name: 'replay',
    summary: 'plays recorded turns of nodes again, and compares what each of them does',
    run: async (...given) => (await import('./replay/replay.ts')).replay(...given),
  },
  {
    name: 'restore',
    summary: 'makes a new cluster of a backup',
    run: async (...given) => (await import('./restore.ts')).restore(...given),
  },
  {
    name: 'run',
    summary: 'runs scenarios: faults as data, with verdicts',
    run: async (...given) => (await import('./run/run.ts')).runCommand(...given),
  },
  {
    name: 'sim',
    summary: 'runs the whole stack in virtual time, under faults, seed by seed',
    run: async (...given) => (await import('./sim.ts')).sim(...given),
  },
  {
    name: 'log',
    summary: 'looks at logs on the disk, checks them, proves that they keep what they promise',
    run: async (...given) => (await import('./log.ts')).log(...given),
  },
  {
    name: 'soak',
    summary: 'runs a real cluster for a long time: does anything grow, or complain?',
    run: async (...given) => (await import('./soak.ts')).soak(...given),
  },
]

/** Errors that the user's own input causes. */
const USAGE_CODES: ReadonlySet<RaftErrorCode> = new Set([
  'INVALID_OPTIONS',
  'INVALID_DIRECTORY',
  'INVALID_MACHINE',
])

/**
 * Runs the command line `args` (without node and script) and resolves with the exit code: 0 pass, 1 fail, 2 could not be
 * decided, 64 wrong usage, 130 interrupted. Never rejects: what went wrong is one line on stderr; with TROUPE_DEBUG=1
 * its stack follows.
 */
export async function runCli(
  args: readonly string[],
  context: CommandContext,
  commands: readonly NamedCommand[] = topCommands,
): Promise<number> {
  try {
    return await dispatch(args, context, commands)
  } catch (error) {
    if (context.signal.aborted) return exitCodes.interrupted
    context.stderr.write(`troupe: ${firstLine(error)}\n`)
    if (context.env['TROUPE_DEBUG'] === '1' && error instanceof Error)
      context.stderr.write(`${error.stack}\n`)
    return error instanceof RaftError && USAGE_CODES.has(error.code) ? exitCodes.usage : exitCodes.unknown
  }
}

async function dispatch(
  args: readonly string[],
  context: CommandContext,
  commands: readonly NamedCommand[],
): Promise<number> {
  const [word, ...rest] = args
  if (word === undefined || word === '--help' || word === '-h' || word === 'help') {
    const stream = word === undefined ? context.stderr : context.stdout
    stream.write(help(commands))
    return word === undefined ? exitCodes.usage : exitCodes.pass
  }
  if (word === '--version' || word === '-v') {
    context.stdout.write(`${version()}\n`)
    return 0
  }
  if (word.startsWith('-')) throw unknownWord('flag', word, 'troupe')
  const command = commands.find(({ name }) => name === word)
  if (command === undefined) throw unknownWord('command', word, 'troupe')
  return command.run(rest, context)
}

function help(commands: readonly NamedCommand[]): string {
  const notes = [
    "'troupe COMMAND --help' tells more; 'troupe --version' prints the version.",
    'TROUPE_DEBUG=1 in the environment shows stacks, NO_COLOR switches colours off.',
  ]
  return groupHelp('troupe', 'troupe: replicated state machines in worker threads', commands, notes)
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}

function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0] || 'failed without a word'
}
