/** What `troupe replay` says. */
import { counted, sized } from '../output.ts'
import type { Played } from './play.ts'

const several = (count: number, one: string, more = `${one}s`): string =>
  `${counted(count)} ${count === 1 ? one : more}`

/** How it went, and where not: a line, or a few. */
export function describePlayed(played: Played, isPartial: boolean): string {
  const { node, start, turns, seconds, bytes, difference, damage } = played
  const name = `${node}, start ${start}`
  const speed = seconds > 0 && turns > 0 ? `, ${counted(Math.round(turns / seconds))} turns/s` : ''
  const lines = [
    `${name}: ${several(turns, 'turn')} reproduced${speed}, ${sized(bytes)}${endOf(played, isPartial)}`,
  ]
  if (difference !== undefined) {
    lines.push(`  differs at turn ${difference.turn}`)
    lines.push(`    events    ${difference.events.join(', ') || 'none'}`)
    lines.push(`    recorded  ${difference.recorded}`)
    lines.push(`    replayed  ${difference.replayed}`)
  }
  if (damage !== undefined)
    lines.push(`  damaged at turn ${damage.turn}, byte ${counted(damage.offset)}: ${damage.reason}`)
  if (isPartial || difference !== undefined) lines.push(...played.state.map((line) => `  stands: ${line}`))
  return `${lines.join('\n')}\n`
}

function endOf({ ended, isCutOff, difference, damage, turns }: Played, isPartial: boolean): string {
  if (difference !== undefined || damage !== undefined) return ''
  if (ended === 'failed') return '; the node failed in the last one'
  if (ended === 'stopped') return ''
  if (ended !== undefined) return `; recorded no further: ${ended}`
  if (isPartial && !isCutOff) return ''
  return `; then the ${turns === 0 && !isCutOff ? 'file' : 'recording'} ends${isCutOff ? ', within a turn' : ''}: the node was killed, or runs`
}

/** Whether all of it is as it was. */
export const isReproduced = ({ difference, damage }: Played): boolean =>
  difference === undefined && damage === undefined

/** The last line. */
export function verdictLine(all: readonly Played[]): string {
  const turns = all.reduce((sum, played) => sum + played.turns, 0)
  const broken = all.filter((played) => !isReproduced(played)).length
  const what = `${several(turns, 'turn')} reproduced of ${several(all.length, 'recording')}`
  return broken === 0 ? what : `${broken} of ${several(all.length, 'recording')} not reproduced; ${what}`
}
