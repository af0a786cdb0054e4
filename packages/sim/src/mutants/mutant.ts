/**
 * A bug on purpose: one small slip in one source file. What the simulator finds is worth as much as what it would find:
 * each of these has to fall.
 *
 * Data, and nothing else: no source knows of any. Whoever wants one applies it to the text of the file while the module
 * is loaded, in a thread of its own, so production carries no switch for it.
 */
export interface Mutant {
  /** In kebab-case, unique. */
  readonly name: string
  /** The rule that is broken, in one sentence. */
  readonly rule: string
  /** Where the rule stands: a section of the paper or the thesis, or a public issue of another engine. */
  readonly source: string
  /** What was changed, in one line. */
  readonly slip: string
  /** The file, from the folder of the packages: `core/src/elections.ts`. */
  readonly file: string
  /** The text that is replaced: it stands in the file exactly once. */
  readonly from: string
  readonly to: string
  /** In which runs it can show. @default 'kv' */
  readonly workload?: 'kv' | 'queue'
}

/**
 * The text of a file with the slip in it.
 * @throws Error where the text to replace does not stand there exactly once: the file has moved on
 */
export function mutated(source: string, { name, file, from, to }: Mutant): string {
  const parts = source.split(from)
  if (parts.length !== 2) {
    throw new Error(`${name}: its text stands ${parts.length - 1} times in ${file}, expected once`)
  }
  return parts.join(to)
}
