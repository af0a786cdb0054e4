/** Values of options as a workload file has them: numbers and lists are what they are in YAML. */
import type { OptionSpec } from '../command.ts'

/** What an option is where it is not given. */
export function defaultOf(spec: OptionSpec): unknown {
  if (spec.kind === 'flag') return false
  return 'default' in spec ? spec.default : undefined
}

/** The value as the command takes it; undefined where it is none of this option. */
export function valueOf(spec: OptionSpec, value: unknown): unknown {
  switch (spec.kind) {
    case 'flag':
      return typeof value === 'boolean' ? value : undefined
    case 'text':
      return typeof value === 'string' && value !== '' ? value : undefined
    case 'choice':
      return typeof value === 'string' && spec.choices.includes(value) ? value : undefined
    case 'integer':
      return isWithin(spec, value) && Number.isSafeInteger(value) ? value : undefined
    case 'number':
      return isWithin(spec, value) ? value : undefined
    default:
      return listOf(spec, value)
  }
}

type Bounds = { readonly min: number; readonly max?: number }

function isWithin({ min, max = Number.POSITIVE_INFINITY }: Bounds, value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max
}

/** A single number is a list of one. */
function listOf(
  spec: Bounds & { readonly kind: string },
  value: unknown,
): readonly unknown[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const isFine = (item: unknown): boolean =>
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
