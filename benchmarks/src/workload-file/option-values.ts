/** Values of options as a workload file has them: numbers and lists are what they are in YAML. */
import type { OptionSpec, OptionTable, OptionValues } from '../command.ts'

type Value = OptionValues<OptionTable>[string]

/** What an option is where it is not given. */
export function defaultOf(spec: OptionSpec): Value {
  if (spec.kind === 'flag') return false
  if (spec.kind === 'texts') return []
  return 'default' in spec ? spec.default : undefined
}

/** The value as the command takes it; undefined where it is none of this option. */
export function optionValueOf(spec: OptionSpec, value: unknown): Value {
  switch (spec.kind) {
    case 'flag':
      return typeof value === 'boolean' ? value : undefined
    case 'text':
      return typeof value === 'string' && value !== '' ? value : undefined
    case 'texts':
      return textsOf(value)
    case 'choice':
      return typeof value === 'string' && spec.choices.includes(value) ? value : undefined
    case 'integer':
      return Number.isSafeInteger(value) && isWithin(spec, value) ? value : undefined
    case 'number':
      return isWithin(spec, value) ? value : undefined
    default:
      return listOf(spec, value)
  }
}

type Bounds = { readonly min: number; readonly max?: number }

function isWithin({ min, max = Number.POSITIVE_INFINITY }: Bounds, value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max
}

/** A single text is a list of one. */
function textsOf(value: unknown): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.every((item): item is string => typeof item === 'string' && item !== '') ? list : undefined
}

/** A single number is a list of one. */
function listOf(spec: Bounds & { readonly kind: string }, value: unknown): readonly number[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const isFine = (item: unknown): item is number =>
    isWithin(spec, item) && (spec.kind !== 'integers' || Number.isSafeInteger(item))
  return list.length > 0 && list.every(isFine) ? list : undefined
}

/** What an option wants, in words. */
export function expectedOf(spec: OptionSpec): string {
  switch (spec.kind) {
    case 'flag':
      return 'true or false'
    case 'text':
      return spec.placeholder === 'DIR' ? 'a directory' : 'text'
    case 'texts':
      return 'a list of texts'
    case 'choice':
      return spec.choices.join(' or ')
    case 'integer':
      return within('an integer', spec)
    case 'number':
      return within('a number', spec)
    default:
      return within(`a list of ${spec.kind}`, spec)
  }
}

function within(what: string, { min, max }: Bounds): string {
  const least = min.toLocaleString('en-US')
  return max === undefined
    ? `${what} of at least ${least}`
    : `${what} from ${least} to ${max.toLocaleString('en-US')}`
}
