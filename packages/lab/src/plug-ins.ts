import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Assertion } from './assertion.ts'
import type { Engine } from './engine.ts'
import { isRecord } from './schema/schema.ts'
import type { DataSource } from './sources/data-source.ts'

/** What a module named under `plugins` exports, as its default or by these names. */
export interface PlugIn {
  readonly engines?: readonly Engine[]
  readonly assertions?: readonly Assertion[]
  readonly dataSources?: readonly DataSource[]
}

/**
 * Loads the modules that a scenario file names, by paths from its folder.
 * @throws Error that says which one is not there, or exports nothing of use
 */
export async function loadPlugIns(file: string, names: readonly string[]): Promise<Required<PlugIn>> {
  const loaded = await Promise.all(names.map((name) => loadOne(file, name)))
  return {
    engines: loaded.flatMap(({ engines = [] }) => engines),
    assertions: loaded.flatMap(({ assertions = [] }) => assertions),
    dataSources: loaded.flatMap(({ dataSources = [] }) => dataSources),
  }
}

async function loadOne(file: string, name: string): Promise<PlugIn> {
  const url = pathToFileURL(resolve(dirname(file), name)).href
  const module = (await import(url)) as Readonly<Record<string, unknown>>
  const plugIn = isRecord(module['default']) ? module['default'] : module
  const known = ['engines', 'assertions', 'dataSources'] as const
  if (!known.some((kind) => Array.isArray(plugIn[kind]))) {
    throw new Error(`${name} exports none of ${known.join(', ')}`)
  }
  return plugIn as PlugIn
}
