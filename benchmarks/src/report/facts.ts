/** The conditions of a measurement as people read them. */
import { formatNumber } from '../terminal/format.ts'
import type { FullDocument } from './document.ts'

/** Names with values, the surroundings first; what was not given is left out. */
export function factsOf({
  configuration,
  environment,
}: Pick<FullDocument, 'configuration' | 'environment'>): [name: string, value: string][] {
  return Object.entries({ ...(environment ?? {}), ...configuration })
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => [words(name), textOf(name, value)])
}

/** `uvThreadpoolSize`: uv threadpool size. */
const words = (name: string): string => name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`)

function textOf(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (name === 'date') return `${String(value).slice(0, 19).replace('T', ' ')} UTC`
  if (name === 'memoryBytes') return `${formatNumber(Number(value) / 2 ** 30, 1)} GiB`
  if (name === 'seed') return String(value)
  if (typeof value === 'number') return formatNumber(value, Number.isInteger(value) ? 0 : 2)
  if (Array.isArray(value)) return value.map((one) => textOf(name, one)).join(', ')
  if (isFileSystem(value)) return `${value.type}${value.durable ? '' : ', flushes mean nothing there'}`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

const isFileSystem = (value: unknown): value is { readonly type: string; readonly durable: boolean } =>
  typeof value === 'object' && value !== null && 'type' in value && 'durable' in value
