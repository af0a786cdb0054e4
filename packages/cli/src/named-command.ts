import type { CommandContext } from '@troupe/benchmarks'

/** A command as it stands in a list of commands: what is behind its name is its own. */
export interface NamedCommand {
  readonly name: string
  readonly summary: string
  run(args: readonly string[], context: CommandContext): Promise<number>
}
