import { RaftError, show } from '@troupe/core'
import type { Path, Problem } from '../schema/schema.ts'

/** A problem with its place, counted from 1. */
export interface PlacedProblem extends Problem {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A file that cannot be run: everything that is wrong with it. The message has the first. */
export class ScenarioError extends RaftError<'INVALID_OPTIONS'> {
  readonly problems: readonly PlacedProblem[]

  constructor(problems: readonly PlacedProblem[]) {
    const [first] = problems
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
    const message = first === undefined ? 'nothing is wrong' : describeProblem(first) + more
    const { path = [], value, expected = '' } = first ?? {}
    super('INVALID_OPTIONS', message, { field: fieldOf(path), value, expected })
    this.problems = problems
  }
}

/** `file:line:column: field: value; expected …`, in one line. */
export function describeProblem({ file, line, column, path, value, expected }: PlacedProblem): string {
  const field = fieldOf(path)
  const what = value === undefined ? 'is missing' : `is ${show(value)}`
  return `${file}:${line}:${column}: ${field === '' ? 'the file' : field} ${what}; expected ${expected}`
}

/** `phases[1].kill.target`. */
export function fieldOf(path: Path): string {
  return path.reduce<string>((field, key) => {
    if (typeof key === 'number') return `${field}[${key}]`
    return field === '' ? key : `${field}.${key}`
  }, '')
}
