/** Turns for people: in the words of the simulator's timeline. */
import { type Deeds, deedsOf, hollowMessage, type RecordedTurn, TurnDeed } from '@troupe/wire'
import { describeEvent, describeMessage } from '../timeline.ts'

/** What a turn was given and what it did, in one line; its time in ms since `startMs`. */
export function describeTurn(node: string, turn: number, record: RecordedTurn, startMs: number): string {
  const deeds = deedsOf(record.account)
  const time = ((record.timesMs[0] ?? startMs) - startMs).toFixed(3).padStart(11)
  const state = deeds.find(([kind]) => kind === TurnDeed.state)
  const events = record.events.map(describeEvent)
  if (events.length === 0) events.push('timer')
  const done = deeds.filter(([kind]) => !SILENT.has(kind)).map(describeDeed)
  const tail = done.length === 0 ? '' : ` | ${done.join(', ')}`
  const stands = state === undefined ? 'went down' : describeDeed(state)
  return `${time} ${node} #${`${turn}`.padEnd(5)} ${stands} | ${events.join(', ')}${tail}`
}

/** What another deed of the same turn says already. */
const SILENT: ReadonlySet<unknown> = new Set([TurnDeed.state, TurnDeed.sent, TurnDeed.role])

/** Where two accounts differ first. */
export function describeDifference(
  recorded: Deeds,
  replayed: Deeds,
): { readonly recorded: string; readonly replayed: string } {
  const length = Math.max(recorded.length, replayed.length)
  for (let place = 0; place < length; place++) {
    const [left, right] = [recorded[place], replayed[place]]
    if (JSON.stringify(left) === JSON.stringify(right)) continue
    const said = { recorded: saidOf(left), replayed: saidOf(right) }
    if (said.recorded !== said.replayed) return said
    // What people are told is the same: what is left is checksums.
    return { recorded: JSON.stringify(left), replayed: JSON.stringify(right) }
  }
  return { recorded: 'another encoding of the same', replayed: 'the same' }
}

const saidOf = (deed: Deeds[number] | undefined): string =>
  deed === undefined ? 'nothing more' : describeDeed(deed)

/** One deed in a few words. */
export function describeDeed(deed: Deeds[number]): string {
  const [kind, ...of] = deed
  switch (kind) {
    case TurnDeed.persist:
      return describePersist(of)
    case TurnDeed.message:
      return `→${of[0]} ${describeMessage(hollowMessage(deed))}`
    case TurnDeed.afterFlush:
      return `flushed first: →${of[0]} ${describeMessage(hollowMessage(deed))}`
    case TurnDeed.committed:
      return `apply ${rangeOf(of[0] as number, of[1])}`
    case TurnDeed.reply:
      return `answer c${of[0]} ${of[1]} B`
    case TurnDeed.state: {
      const [role, term, , commit, applied, last] = of
      return `${`${role}`.padEnd(12)} t${term} c${commit} a${applied} l${last}`
    }
    default:
      return describeRare(kind, of)
  }
}

function describeRare(kind: unknown, of: readonly unknown[]): string {
  switch (kind) {
    case TurnDeed.role:
      return `${of[0]} t${of[1]}, leader ${of[2] ?? '-'}`
    case TurnDeed.receive:
      return `keep snapshot ${of[0]}+${of[1]} ${of[2]} B`
    case TurnDeed.install:
      return `install snapshot ${of[0]}/${of[1]}`
    case TurnDeed.snapshot:
      return ['snapshot', of[0], ...(of[1] === undefined ? [] : [`${of[1]} B`])].join(' ')
    case TurnDeed.control:
      return `control #${of[0]} ${of[1] === null ? 'done' : of[1]}`
    case TurnDeed.hangUp:
      return `hang up c${of[0]}: ${of[1] ?? 'no reason'}`
    case TurnDeed.threw:
      return `throws ${of[0]}: ${of[1]}`
    default:
      return `${nameOf(kind)} ${JSON.stringify(of)}`
  }
}

const nameOf = (kind: unknown): string =>
  Object.keys(TurnDeed).find((name) => TurnDeed[name as keyof typeof TurnDeed] === kind) ?? `deed ${kind}`

function describePersist([
  token,
  hardState,
  reset,
  cut,
  repairs,
  first,
  entries,
  compactTo,
]: readonly unknown[]): string {
  const parts = [`store #${token}`]
  if (Array.isArray(hardState)) parts.push(`t${hardState[0]} v${hardState[1] || '-'}`)
  if (Array.isArray(reset)) parts.push(`reset ${reset[0]}`)
  if (cut !== 0) parts.push(`cut ${cut}`)
  const mended = repairs as readonly (readonly unknown[])[]
  if (mended.length > 0) parts.push(`repair ${mended.map(([index]) => index)}`)
  const added = entries as readonly unknown[]
  if (added.length > 0) parts.push(`+${rangeOf(first as number, added)}`)
  if (Array.isArray(compactTo)) parts.push(`compact ${compactTo[0]}`)
  return parts.join(' ')
}

const rangeOf = (first: number, checksums: unknown): string =>
  `${first}..${first + (checksums as readonly unknown[]).length - 1}`
