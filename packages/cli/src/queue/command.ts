/** The frame of a queue command: `troupe queue WORD QUEUE [options]`. */
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import { takeOperands } from '../operands.ts'
import { parseOptions, wantsHelp } from '../options.ts'
import { exitCodes, showHelp, textStream, writeJson } from '../output.ts'
import { type AccessValues, accessOptions, QueueAccess } from './access.ts'

/** What a command came to: a document for `--json`, the same for people. */
export interface QueueOutcome {
  readonly document: unknown
  readonly text: string
}

export interface QueueCommand<Table extends OptionTable> {
  readonly word: string
  readonly summary: string
  readonly options: Table
  readonly details?: readonly string[]
  /** Whether it makes a directory that is not there. */
  readonly mayMake?: boolean
  /** Refuses values that do not go together, before anything is opened. @throws RaftError INVALID_OPTIONS */
  check?(values: OptionValues<Table> & AccessValues): void
  run(
    queue: QueueAccess,
    values: OptionValues<Table> & AccessValues,
    context: CommandContext,
  ): Promise<QueueOutcome>
}

const DETAILS = ['A client proves itself with TROUPE_CLIENT_TOKEN, from the environment, or a certificate.']

/** The function behind the word. @throws RaftError INVALID_OPTIONS */
export function queueCommand<Table extends OptionTable>(command: QueueCommand<Table>) {
  const { word, summary, options, details = [], mayMake = false } = command
  const path = `troupe queue ${word}`
  const table: OptionTable = { ...options, ...accessOptions }
  return async (args: readonly string[], context: CommandContext): Promise<number> => {
    if (wantsHelp(args)) return showHelp(context, `${path} QUEUE`, summary, table, [...details, ...DETAILS])
    const { operands, rest } = takeOperands(args, ['QUEUE'], table, `${path} QUEUE`)
    const parsed = parseOptions(rest, table, path)
    if (parsed.kind === 'help') return exitCodes.pass
    const values = parsed.values as unknown as OptionValues<Table> & AccessValues
    command.check?.(values)
    await using queue = await QueueAccess.open(operands[0] as string, values, context, mayMake)
    const { document, text } = await command.run(queue, values, context)
    textStream(values.json, context).write(text)
    writeJson(values.json, document, context)
    return context.signal.aborted ? exitCodes.interrupted : exitCodes.pass
  }
}
