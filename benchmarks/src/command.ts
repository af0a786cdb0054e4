/**
 * What a command looks like to the `troupe` command line: a table of options that drives both parsing and `--help`,
 * and a function. Plain data, so that this package needs nothing of the cli.
 */
import type { FullDocument } from './report/document.ts'
import type { Report } from './report/shape.ts'
import type { OutputStream } from './terminal/output-stream.ts'

export type { OutputStream } from './terminal/output-stream.ts'

interface OptionBase {
  /** One line for `--help`, without the default. */
  readonly help: string
}

/** A number, given as `--name 5`. */
export interface NumberOption extends OptionBase {
  readonly kind: 'integer' | 'number'
  readonly min: number
  readonly max?: number
  readonly unit?: string
  readonly default?: number
}

/** Integers between commas, given as `--name 1,64,1024`. */
export interface IntegersOption extends OptionBase {
  readonly kind: 'integers'
  readonly min: number
  readonly max?: number
  readonly default: readonly number[]
}

/** Numbers between commas, given as `--name 0,0.5,10`. */
export interface NumbersOption extends OptionBase {
  readonly kind: 'numbers'
  readonly min: number
  readonly max?: number
  readonly unit?: string
  readonly default: readonly number[]
}

export interface ChoiceOption extends OptionBase {
  readonly kind: 'choice'
  readonly choices: readonly string[]
  readonly default: string
}

export interface TextOption extends OptionBase {
  readonly kind: 'text'
  /** What stands for the value in `--help`: FILE, DIR. */
  readonly placeholder: string
  /** Said in `--help` where there is no value by default. */
  readonly otherwise?: string
}

/** A text each time that it is given: `--name a --name b`. */
export interface TextsOption extends OptionBase {
  readonly kind: 'texts'
  readonly placeholder: string
}

/** On where given. */
export interface FlagOption extends OptionBase {
  readonly kind: 'flag'
}

export type OptionSpec =
  | NumberOption
  | IntegersOption
  | NumbersOption
  | ChoiceOption
  | TextOption
  | TextsOption
  | FlagOption

/** Options by their name, without the dashes, in the order of `--help`. */
export type OptionTable = Readonly<Record<string, OptionSpec>>

type OptionValue<Spec extends OptionSpec> = Spec extends FlagOption
  ? boolean
  : Spec extends IntegersOption | NumbersOption
    ? readonly number[]
    : Spec extends ChoiceOption
      ? Spec['choices'][number]
      : Spec extends TextOption
        ? string | undefined
        : Spec extends TextsOption
          ? readonly string[]
          : Spec extends { readonly default: number }
            ? number
            : number | undefined

/** The values that a table's options have after parsing. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: OptionValue<Table[Name]>
}

/** What a command runs in. */
export interface CommandContext {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted by Ctrl-C: end cleanly, and soon. */
  readonly signal: AbortSignal
  /** Gets what a benchmark ends with, whether or not it is written anywhere. */
  readonly onDocument?: (document: FullDocument, report: Report) => void
}

/** A command: `troupe bench NAME`. */
export interface Command<Table extends OptionTable = OptionTable> {
  /** One word, or two: `check perf`. */
  readonly name: string
  /** The option whose value may stand behind the name as well, without its flag: `check perf xl`. */
  readonly operand?: string
  /** One line. */
  readonly summary: string
  /** Further lines for its own `--help`. */
  readonly details?: readonly string[]
  readonly options: Table
  /**
   * Runs it; resolves with the exit code: 0 pass, 1 fail, 2 could not be decided.
   * @throws RaftError INVALID_OPTIONS for values that do not go together
   */
  run(values: OptionValues<Table>, context: CommandContext): Promise<number>
}

/** A command that is not loaded yet. */
export interface ListedCommand extends Pick<Command, 'name'> {
  load(): Promise<Command>
}

/** Exit codes of all commands. */
export const exitCodes = { pass: 0, fail: 1, unknown: 2, usage: 64, interrupted: 130 } as const
