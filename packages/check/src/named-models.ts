/** All checks by name. */
import type { NamedModel } from './named-model.ts'
import { objectModels } from './named-objects.ts'
import { registerModels } from './named-registers.ts'
import { replicaModels } from './named-replicas.ts'
import { setModels } from './named-sets.ts'

export const namedModels: readonly NamedModel[] = [
  ...registerModels,
  ...objectModels,
  ...setModels,
  ...replicaModels,
]

export const modelNames: readonly string[] = namedModels.map(({ name }) => name)

/** The check with this name; undefined where there is none. */
export function findModel(name: string): NamedModel | undefined {
  return namedModels.find((model) => model.name === name)
}
