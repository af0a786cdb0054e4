/** What must hold between the fields of one step, beside what each of them is. */
import { RaftError } from '@troupe/core'
import { checkFault } from '@troupe/faults'
import type { FigureName } from '../figures.ts'
import type { Path, Report } from '../schema/schema.ts'
import { type StepFields, type StepKind, toxicTypes } from './steps.ts'

type Rule<K extends StepKind> = (
  fields: StepFields[K],
  say: (field: string, expected: string) => void,
) => void

/** Says what is wrong where not exactly one of these fields is there. */
function exactlyOne(
  fields: object,
  names: readonly string[],
  say: (field: string, expected: string) => void,
): void {
  const given = names.filter((name) => Object.hasOwn(fields, name))
  const expected = `exactly one of ${names.join(', ')}`
  if (given.length === 0) say('', expected)
  for (const name of given.slice(1)) say(name, expected)
}

const onlyWith = (
  isThere: boolean,
  isWanted: boolean,
  field: string,
  what: string,
  say: (field: string, expected: string) => void,
): void => {
  if (isWanted && !isThere) say(field, `to be there with ${what}`)
  if (!isWanted && isThere) say(field, `to be there only with ${what}`)
}

const effects = [
  ...(['delay', 'loss', 'burst', 'lossState', 'duplicate', 'corrupt', 'reorder', 'rate'] as const),
  ...(['slot', 'limit'] as const),
] as const

/** What is looked at, or counted together, once the run is over. */
const atTheEnd: ReadonlySet<FigureName> = new Set([
  ...(['leadershipsPerNode', 'campaignsPerNode', 'acknowledgedLost', 'termChangesPerMinuteDuring'] as const),
  ...(['longestGapMs', 'longestReadGapMs'] as const),
])

const knownAtTheEnd = (figure: FigureName): boolean => atTheEnd.has(figure) || /After$|^heal/.test(figure)

const rules: { readonly [K in StepKind]?: Rule<K> } = {
  partition: (fields, say) => {
    exactlyOne(fields, ['split', 'topology', 'groups'], say)
    if (fields.topology === undefined) return
    if (fields.direction !== undefined) say('direction', 'none with a topology')
    if (fields.clients !== undefined) say('clients', 'none with a topology: it has no sides')
  },
  link: ({ mode, time }, say) => onlyWith(time !== undefined, mode === 'slow', 'time', 'mode: slow', say),
  network: (fields, say) => {
    if (effects.every((name) => fields[name] === undefined)) say('', `at least one of ${effects.join(', ')}`)
    if (fields.reorder !== undefined && fields.delay === undefined) {
      say('reorder', 'a delay with it: only what is delayed can be overtaken')
    }
    const losses = (['loss', 'burst', 'lossState'] as const).filter((name) => fields[name] !== undefined)
    for (const name of losses.slice(1)) say(name, `no ${losses[0]} beside it`)
    const { p13 = 0, p14 = 0, p31 = 0, p32 = 0 } = fields.lossState ?? {}
    if (p13 + p14 > 100 || p31 + p32 > 100) {
      say('lossState', 'p13 and p14, and p31 and p32, of at most 100% together')
    }
  },
  toxic: ({ type, attributes }, say) => {
    const { needs, may }: { readonly needs: readonly string[]; readonly may: readonly string[] } =
      toxicTypes[type]
    const given = Object.keys(attributes)
    const isWhole = needs.every((name) => given.includes(name))
    if (isWhole && given.every((name) => needs.includes(name) || may.includes(name))) return
    const others = may.length === 0 ? '' : `, and perhaps ${may.join(', ')}`
    say('attributes', `those of ${type}: ${needs.join(', ')}${others}`)
  },
  failpoint: ({ name, term }, say) => {
    try {
      checkFault({ kind: 'failpoint', nodes: ['n1'], name, term })
    } catch (error) {
      if (!RaftError.is(error, 'INVALID_OPTIONS')) throw error
      say('term', error.data.expected)
    }
  },
  disk: ({ mode, by }, say) => onlyWith(by !== undefined, mode === 'slow', 'by', 'mode: slow', say),
  damage: ({ what, back, count }, say) => {
    if (what === 'snapshot' && back !== undefined) say('back', 'none with what: snapshot')
    if (what === 'snapshot' && count !== undefined) say('count', 'none with what: snapshot')
  },
  clock: ({ mode, by, rate, every, for: span }, say) => {
    const isAgain = mode === 'strobe' || mode === 'step'
    onlyWith(by !== undefined, mode !== 'rate', 'by', 'mode: bump, step or strobe', say)
    onlyWith(every !== undefined, isAgain, 'every', 'mode: step or strobe', say)
    if (isAgain && span === undefined) say('for', `to be there with mode: ${mode}`)
    if (every === 0) say('every', 'more than no time')
    onlyWith(rate !== undefined, mode === 'rate', 'rate', 'mode: rate', say)
    if (mode === 'bump' && span !== undefined) say('for', 'none with mode: bump, which is over at once')
  },
  members: (fields, say) => {
    const names = ['add', 'promote', 'demote', 'remove', 'replace'] as const
    if (names.every((name) => fields[name] === undefined)) say('', `at least one of ${names.join(', ')}`)
  },
  every: (fields, say) => {
    exactlyOne(fields, ['for', 'times'], say)
    if (fields.interval !== undefined && fields.interval.mostMs === 0) say('interval', 'more than no time')
  },
  restartStorm: ({ interval }, say) => {
    if (interval.mostMs === 0) say('interval', 'more than no time')
  },
  until: (fields, say) => exactlyOne(fields, ['is', 'reached'], say),
  when: (fields, say) => exactlyOne(fields, ['reached', 'sends'], say),
  read: ({ node, consistency = 'linearizable' }, say) => {
    const mayName = consistency === 'follower' || consistency === 'stale'
    if (node !== undefined && !mayName)
      say('node', 'consistency: follower or stale with it: else the leader answers')
  },
  statusCheck: ({ figure, max, min }, say) => {
    if (knownAtTheEnd(figure)) say('figure', 'one that is known while the faults last')
    if (max === undefined && min === undefined) say('', 'max or min')
    if (max !== undefined && min !== undefined && min > max) say('min', `at most max (${max})`)
  },
}

/** Reports what does not go together in a step. */
export function checkStep(kind: StepKind, fields: unknown, path: Path, report: Report): void {
  const rule = rules[kind] as
    | ((fields: unknown, say: (field: string, expected: string) => void) => void)
    | undefined
  rule?.(fields, (field, expected) => {
    const value = field === '' ? fields : (fields as Readonly<Record<string, unknown>>)[field]
    report({ path: field === '' ? path : [...path, field], value, expected })
  })
}
