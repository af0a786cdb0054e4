/** From what a user names to cases: files, folders of files, the plug-ins that they name. */
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Assertion } from './assertion.ts'
import type { Engine } from './engine.ts'
import { loadPlugIns, type PlugIn } from './plug-ins.ts'
import { parseText } from './scenario/document.ts'
import { type PlacedProblem, ScenarioError } from './scenario/problems.ts'
import { type Case, MAX_SCENARIO_BYTES, readScenarioFile } from './scenario/read-scenario.ts'
import { isRecord } from './schema/schema.ts'

export interface Loaded {
  readonly item: Case
  readonly engines: readonly Engine[]
  readonly assertions: readonly Assertion[]
}

const EXTENSIONS = '{yaml,yml,json}'

/** The files of a suite: a file is itself, a folder is all below it, in the order of their names. */
export function scenarioFiles(path: string): readonly string[] {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw atFile(path, path, 'a file or a folder that is there')
  if (!stat.isDirectory()) return [path]
  const files = globSync(`**/*.${EXTENSIONS}`, { cwd: path }).sort()
  if (files.length === 0) throw atFile(path, path, `a folder with scenarios (.${EXTENSIONS})`)
  return files.map((file) => join(path, file))
}

const atFile = (file: string, value: unknown, expected: string): ScenarioError =>
  new ScenarioError([{ file, line: 1, column: 1, path: [], value, expected }])

/**
 * Reads all files; each with everything that is wrong in it, before anything of any of them is run.
 * @throws ScenarioError with the problems of all of them
 */
export async function loadFiles(paths: readonly string[]): Promise<readonly Loaded[]> {
  const problems: PlacedProblem[] = []
  const loaded: Loaded[] = []
  for (const file of paths.flatMap(scenarioFiles)) {
    try {
      loaded.push(...(await loadFile(file)))
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error
      problems.push(...error.problems)
    }
  }
  if (problems.length > 0) throw new ScenarioError(problems)
  return loaded
}

async function loadFile(file: string): Promise<readonly Loaded[]> {
  const { engines = [], assertions = [], dataSources = [] } = await plugInsOf(file)
  const cases = await readScenarioFile(file, { sources: dataSources })
  return cases.map((item) => ({ item, engines, assertions }))
}

/** Its plug-ins come before the rest of it: one of them may read its table. */
async function plugInsOf(file: string): Promise<PlugIn> {
  // Too large to be read: said with its place by whoever reads it.
  if (statSync(file).size > MAX_SCENARIO_BYTES) return {}
  const document = parseText(file, readFileSync(file, 'utf8'))
  const names = isRecord(document.value) ? document.value['plugins'] : undefined
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) return {}
  try {
    return await loadPlugIns(file, names)
  } catch (error) {
    const expected = `modules of plug-ins: ${(error as Error).message}`
    throw new ScenarioError([
      { file, ...document.position(['plugins']), path: ['plugins'], value: names, expected },
    ])
  }
}
