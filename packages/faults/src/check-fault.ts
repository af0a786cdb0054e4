import { invalidOption } from '@troupe/core'
import { parseFailpoint } from './failpoints.ts'
import {
  DIRECTIONS,
  DISTRIBUTIONS,
  FAILPOINTS,
  type Fault,
  MEMBER_CHANGES,
  NODE_ACTIONS,
  NODE_SETS,
  SPLITS,
  TOPOLOGIES,
} from './vocabulary.ts'

/** Checks one field's value. */
type Check = (field: string, value: unknown) => void

/** Fields with their checks. A name with a question mark behind it may be absent. */
type Shape = Readonly<Record<string, Check>>

type Fields = Readonly<Record<string, unknown>>

/**
 * Takes a fault from outside: a scenario, a flag, a control message.
 * @throws RaftError INVALID_OPTIONS naming the field, its value and what is expected
 */
export function checkFault(value: unknown): Fault {
  const fields = record('fault', value)
  const { kind } = fields
  const shape = typeof kind === 'string' && Object.hasOwn(SHAPES, kind) ? SHAPES[kind] : undefined
  if (shape === undefined) {
    throw invalidOption('fault.kind', kind, `one of ${Object.keys(SHAPES).join(', ')}`)
  }
  checkShape('fault', fields, { kind: () => {}, ...(typeof shape === 'function' ? shape(fields) : shape) })
  return value as Fault
}

function checkShape(name: string, fields: Fields, shape: Shape): void {
  const known = Object.keys(shape).map((key) => key.replace('?', ''))
  for (const field of Object.keys(fields)) {
    if (!known.includes(field)) {
      throw invalidOption(`${name}.${field}`, fields[field], `one of the fields ${known.join(', ')}`)
    }
  }
  for (const [key, check] of Object.entries(shape)) {
    const field = key.replace('?', '')
    const isAbsent = !Object.hasOwn(fields, field) || fields[field] === undefined
    if (!isAbsent || !key.endsWith('?')) check(`${name}.${field}`, isAbsent ? undefined : fields[field])
  }
}

function record(field: string, value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw invalidOption(field, value, 'an object')
}

const oneOf =
  (values: readonly string[]): Check =>
  (field, value) => {
    if (!values.includes(value as string)) throw invalidOption(field, value, `one of ${values.join(', ')}`)
  }

const number =
  (expected: string, fits: (value: number) => boolean): Check =>
  (field, value) => {
    if (typeof value !== 'number' || !Number.isFinite(value) || !fits(value)) {
      throw invalidOption(field, value, expected)
    }
  }

const percent = number('a percentage from 0 to 100', (value) => value >= 0 && value <= 100)
const duration = number('a number that is not negative', (value) => value >= 0)
const positive = number('a positive number', (value) => value > 0)
const signed = number('a number', () => true)
const count = number('a positive integer', (value) => Number.isSafeInteger(value) && value > 0)

const yesOrNo: Check = (field, value) => {
  if (typeof value !== 'boolean') throw invalidOption(field, value, 'true or false')
}

const isName = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length > 0 && value.every(isName) && new Set(value).size === value.length

const nodes: Check = (field, value) => {
  if (NODE_SETS.includes(value as (typeof NODE_SETS)[number]) || isNames(value)) return
  throw invalidOption(field, value, `names of nodes, each once, or one of ${NODE_SETS.join(', ')}`)
}

const groups: Check = (field, value) => {
  if (Array.isArray(value) && value.length > 0 && value.every(isNames) && isNames(value.flat())) return
  throw invalidOption(field, value, 'groups of names, each name once')
}

const links: Check = (field, value) =>
  checkShape(field, record(field, value), { from: nodes, to: nodes, 'direction?': oneOf(DIRECTIONS) })

const lossStates: Check = (field, value) => {
  const given = record(field, value)
  checkShape(field, given, {
    p13: percent,
    'p31?': percent,
    'p32?': percent,
    'p23?': percent,
    'p14?': percent,
  })
  for (const [one, other] of [
    ['p13', 'p14'],
    ['p31', 'p32'],
  ] as const) {
    const sum = Number(given[one] ?? 0) + Number(given[other] ?? 0)
    if (sum > 100) throw invalidOption(`${field}.${other}`, given[other], `at most 100 together with ${one}`)
  }
}

const gilbertElliott: Check = (field, value) =>
  checkShape(field, record(field, value), {
    toBad: percent,
    toGood: percent,
    'lossInBad?': percent,
    'lossInGood?': percent,
  })

/** The shape that belongs to the mode; with a mode that there is not, one that refuses it. */
const byMode =
  (modes: Readonly<Record<string, Shape>>, common: Shape) =>
  ({ mode }: Fields): Shape => {
    const isKnown = typeof mode === 'string' && Object.hasOwn(modes, mode)
    return { mode: oneOf(Object.keys(modes)), ...common, ...(isKnown ? modes[mode] : {}) }
  }

function partition(fields: Fields): Shape {
  const given = ['split', 'topology', 'groups'].filter((field) => fields[field] !== undefined)
  if (given.length !== 1) {
    throw invalidOption('fault', fields, 'exactly one of the fields split, topology, groups')
  }
  if (given[0] === 'topology') return { topology: oneOf(TOPOLOGIES) }
  const direction = { 'direction?': oneOf(DIRECTIONS) }
  return given[0] === 'split' ? { split: oneOf(SPLITS), ...direction } : { groups, ...direction }
}

const onLinks: Shape = { 'links?': links }
const chance: Shape = { percent, 'correlation?': percent, ...onLinks }
const onNodes: Shape = { nodes }

/** There is nothing that could be returned but where a write may fail. */
const termAt =
  (name: unknown): Check =>
  (field, value) => {
    const isReturning = parseFailpoint(field, value).some(({ action }) => action.kind === 'return')
    if (isReturning && name !== 'before-save')
      throw invalidOption(field, value, 'off, sleep, panic or print: only before-save can return an error')
  }

const SHAPES: Readonly<Record<string, Shape | ((fields: Fields) => Shape)>> = {
  partition,
  link: byMode({ drop: {}, jam: {}, slow: { timeMs: duration } }, onLinks),
  delay: {
    timeMs: duration,
    'jitterMs?': duration,
    'distribution?': oneOf(DISTRIBUTIONS),
    'correlation?': percent,
    ...onLinks,
  },
  loss: ({ gilbertElliott: model, states }) => {
    if (states !== undefined) return { states: lossStates, ...onLinks }
    return model === undefined ? chance : { gilbertElliott, ...onLinks }
  },
  duplicate: chance,
  reorder: { 'gap?': count, ...chance },
  corrupt: { 'bits?': count, ...chance },
  rate: { bytesPerSecond: positive, 'limitBytes?': positive, ...onLinks },
  slot: ({ timeMs }) => ({
    timeMs: duration,
    'mostMs?': number('a number that is not below timeMs', (value) => value >= Number(timeMs)),
    'frames?': count,
    'bytes?': count,
    ...onLinks,
  }),
  limit: { frames: count, ...onLinks },
  ...Object.fromEntries(NODE_ACTIONS.map((action) => [action, onNodes])),
  crash: { nodes, 'silent?': yesOrNo },
  stall: { nodes, forMs: duration },
  clock: byMode(
    {
      bump: { byMs: signed },
      rate: { rate: positive },
      step: { byMs: signed, everyMs: positive },
      strobe: { byMs: signed, everyMs: positive },
    },
    onNodes,
  ),
  storage: byMode(
    {
      slow: { timeMs: duration, 'jitterMs?': duration, 'percent?': percent },
      stall: {},
      full: {},
      fail: {},
      'bit-flip': { 'count?': count },
      torn: {},
      'lose-unflushed': {},
    },
    onNodes,
  ),
  failpoint: ({ name }) => ({ nodes, name: oneOf(FAILPOINTS), term: termAt(name) }),
  heap: { nodes, percent },
  membership: { change: oneOf(MEMBER_CHANGES), nodes },
  transfer: { 'nodes?': nodes },
}
