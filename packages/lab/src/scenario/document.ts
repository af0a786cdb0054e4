/** A file as data that knows where everything stands. YAML, and JSON, which is YAML too. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { Path, Problem } from '../schema/schema.ts'
import { type PlacedProblem, ScenarioError } from './problems.ts'

/** Where something stands, counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface Document {
  readonly file: string
  readonly value: unknown
  /** Where the value at a path stands, or what is nearest above it. */
  position(path: Path): Position
}

/** Longer files are no scenarios. */
const MAX_CHARACTERS = 1 << 20

/** @throws ScenarioError where the text is neither YAML nor JSON, or much too long */
export function parseText(file: string, text: string): Document {
  if (text.length > MAX_CHARACTERS) {
    const problem = { path: [], value: `${text.length} characters`, expected: `at most ${MAX_CHARACTERS}` }
    throw new ScenarioError([{ ...problem, file, line: 1, column: 1 }])
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const positionOf = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const problems = document.errors.map(({ message, pos: [offset] }): PlacedProblem => {
    return {
      file,
      ...positionOf(offset),
      path: [],
      value: 'not readable',
      expected: `YAML or JSON: ${message}`,
    }
  })
  if (problems.length > 0) throw new ScenarioError(problems)
  return {
    file,
    value: toPlain(document, file),
    position: (path) => positionOf(offsetOf(document.contents, path, (node) => aliasTarget(document, node))),
  }
}

function toPlain(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    // A few aliases are fine; a bomb of them is not.
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    const expected = `YAML or JSON: ${(error as Error).message}`
    throw new ScenarioError([{ file, line: 1, column: 1, path: [], value: 'not readable', expected }])
  }
}

const aliasTarget = (document: ReturnType<typeof parseDocument>, node: Node): Node | undefined =>
  isAlias(node) ? node.resolve(document) : node

/** Where the last key of the path begins that is there. */
function offsetOf(root: Node | null, path: Path, resolved: (node: Node) => Node | undefined): number {
  let node = root === null ? undefined : resolved(root)
  let offset = root?.range?.[0] ?? 0
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
      if (pair === undefined) return offset
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value === null ? undefined : resolved(pair.value as Node)
    } else if (isSeq(node)) {
      const item = node.items[Number(key)] as Node | undefined
      if (item === undefined) return offset
      offset = item.range?.[0] ?? offset
      node = resolved(item)
    } else return offset
  }
  return offset
}

/** The problem with its place in the document. */
export const placed = ({ file, position }: Document, problem: Problem): PlacedProblem => ({
  file,
  ...position(problem.path),
  ...problem,
})
