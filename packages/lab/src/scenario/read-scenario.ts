/**
 * From a file to cases: text ─► document ─► rows of parameters ─► each filled in ─► read by the schema ─► checked as a whole.
 * Everything that is wrong is found at once, with its place; then nothing of the file is run.
 */
import { RaftError } from '@troupe/core'
import { readBoundedText } from '../bounded-file.ts'
import { isRecord, type Path, type Problem, type Report } from '../schema/schema.ts'
import type { DataSource } from '../sources/data-source.ts'
import { loadRows } from '../sources/load-rows.ts'
import { checkScenario } from './check-scenario.ts'
import { type Document, parseText, placed } from './document.ts'
import { checkedRow, describeRow, filledIn, isTableReference, type Row, rowsOf } from './parameters.ts'
import { type PlacedProblem, ScenarioError } from './problems.ts'
import { type Scenario, scenario as schema } from './scenario.ts'

/** One case, ready to be run by an engine. */
export interface Case {
  readonly file: string
  /** Of the scenario, with the values of its parameters. */
  readonly name: string
  readonly row: Row
  readonly scenario: Scenario
  /** Puts a problem at its place in the file. */
  place(problem: Problem): PlacedProblem
}

export interface ReadOptions {
  /** For tables of parameters in other files. */
  readonly sources: readonly DataSource[]
}

/** Larger files are refused before they are read. */
export const MAX_SCENARIO_BYTES = 4 << 20

/** @throws ScenarioError with everything that is wrong with the file */
export async function readScenarioFile(file: string, options: ReadOptions): Promise<readonly Case[]> {
  return casesOf(parseText(file, readSmall(file)), options)
}

function readSmall(file: string): string {
  try {
    return readBoundedText(file, 'file', MAX_SCENARIO_BYTES)
  } catch (error) {
    if (!RaftError.is(error, 'INVALID_OPTIONS')) throw error
    const { value, expected } = error.data
    throw new ScenarioError([{ file, line: 1, column: 1, path: [], value, expected }])
  }
}

/** The cases of a document. @throws ScenarioError with everything that is wrong with it */
export async function casesOf(document: Document, { sources }: ReadOptions): Promise<readonly Case[]> {
  const problems = new Map<string, PlacedProblem>()
  const report: Report = (problem) => {
    const one = placed(document, problem)
    // Each row would tell of it again.
    const key = JSON.stringify([one.path, one.expected])
    if (!problems.has(key)) problems.set(key, one)
  }
  const { parameters, ...rest } = isRecord(document.value) ? document.value : {}
  if (!isRecord(document.value)) report({ path: [], value: document.value, expected: 'an object' })
  const rows = await rowsFor(document, parameters, sources, report)
  const cases = problems.size > 0 ? [] : rows.map((row) => caseOf(document, rest, row, report))
  checkUnique(cases, report)
  if (problems.size > 0) throw new ScenarioError([...problems.values()].sort(byPlace))
  return cases
}

const byPlace = (left: PlacedProblem, right: PlacedProblem): number =>
  left.line - right.line || left.column - right.column

async function rowsFor(
  { file }: Document,
  parameters: unknown,
  sources: readonly DataSource[],
  report: Report,
): Promise<readonly Row[]> {
  const path: Path = ['parameters']
  if (!isTableReference(parameters)) return rowsOf(parameters, path, report)
  const rows = await loadRows(parameters, file, sources, path, report)
  return rows.map((row) => checkedRow(row, [...path, 'file'], report))
}

function caseOf(document: Document, template: unknown, row: Row, report: Report): Case {
  const { file } = document
  let isSound = true
  const note: Report = (problem) => {
    isSound = false
    report(problem)
  }
  const filled = filledIn(template, row, [], note)
  const scenario = isSound ? schema.read(filled, [], note) : (undefined as unknown as Scenario)
  // What does not fit is not looked at as a whole: its parts are missing.
  if (isSound) checkScenario(scenario, note)
  const parameters = describeRow(row)
  const name = parameters === '' ? scenario?.name : `${scenario?.name} [${parameters}]`
  return { file, name: name ?? '', row, scenario, place: (problem) => placed(document, problem) }
}

function checkUnique(cases: readonly Case[], report: Report): void {
  const names = new Set<string>()
  for (const { name } of cases) {
    if (names.has(name)) report({ path: ['parameters'], value: name, expected: 'rows that differ' })
    names.add(name)
  }
}
