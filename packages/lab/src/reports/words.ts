/** Times, terms and faults in words, the same on every page. */
import { formatNumber } from '@troupe/page'
import type { LastingFault } from './story.ts'

/** `812 ms`, `3.21 s`. */
export function time(ms: number): string {
  if (Math.abs(ms) < 1) return `${Number(ms.toFixed(2))} ms`
  if (Math.abs(ms) < 1000) return `${formatNumber(ms)} ms`
  return `${formatNumber(ms / 1000, 2)} s`
}

/** A moment of a run. */
export const moment = (ms: number): string => `${formatNumber(ms / 1000, 3)} s`

export const percent = (share: number): string => `${Number((share * 100).toFixed(1))} %`

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${formatNumber(count)} ${count === 1 ? one : many}`

/** At most so many of a list, and how many more there are. */
export function listed(items: readonly string[], most = 3): string {
  const shown = items.slice(0, most)
  const more = items.length - shown.length
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

const MOST_LINKS = 4

/** What a fault does, short enough for a bar: deeds name every link that they cut. */
export function shortFault({ what, nodes }: Pick<LastingFault, 'what' | 'nodes'>): string {
  const [kind = '', ...rest] = what.split(' ')
  const links = rest.filter((word) => word.includes('>'))
  if (links.length === 0) return what.replace(/ for \d{7,} ms$/, '').replace(/ within .*$/, '')
  const shown =
    links.length <= MOST_LINKS ? links.join(' ') : `${links.length} links of ${nodes.length} nodes`
  return `${kind} ${shown}`
}

/** Of a bad message only what fits a line. */
export const clipped = (text: string, most = 160): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`
