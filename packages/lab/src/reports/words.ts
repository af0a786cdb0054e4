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

/** Who is on which side where links are cut in both directions; undefined where that is no partition. */
function sidesOf(
  links: readonly string[],
  nodes: readonly string[],
): readonly (readonly string[])[] | undefined {
  const cut = new Set(links)
  const isCut = (one: string, other: string): boolean =>
    cut.has(`${one}>${other}`) && cut.has(`${other}>${one}`)
  const sides: string[][] = []
  for (const node of nodes) {
    const mine = sides.find(([first = '']) => !isCut(first, node))
    if (mine === undefined) sides.push([node])
    else mine.push(node)
  }
  const isWhole = sides.every((side) =>
    sides.every((other) => side === other || side.every((one) => other.every((two) => isCut(one, two)))),
  )
  return isWhole && sides.length > 1 ? sides : undefined
}

/** Of all that are named; or of the nodes alone, where clients see both sides, or are cut off from each other by nature. */
function partitionOf(links: readonly string[]): readonly (readonly string[])[] | undefined {
  const ends = [...new Set(links.flatMap((link) => link.split('>')))].sort()
  const nodes = ends.filter((name) => !isClient(name))
  const clients = ends.filter(isClient)
  const sides = sidesOf(links, nodes)
  if (sides === undefined) return undefined
  const cut = new Set(links)
  const sees = (client: string, side: readonly string[]): boolean =>
    side.some((node) => !cut.has(`${client}>${node}`))
  return sides.map((side, at) => {
    const others = sides.filter((_, index) => index !== at)
    return [
      ...side,
      ...clients.filter((client) => sees(client, side) && !others.some((other) => sees(client, other))),
    ]
  })
}

const isClient = (name: string): boolean => /^c\d+$/.test(name)

/** `n1 n2 c1`, with many clients counted. */
function sideText(side: readonly string[]): string {
  const clients = side.filter(isClient)
  const nodes = side.filter((name) => !isClient(name))
  return [...nodes, ...(clients.length > 2 ? [counted(clients.length, 'client')] : clients)].join(' ')
}

/** What a fault does, short enough for a bar: deeds name every link that they cut. */
export function shortFault({ what, nodes }: Pick<LastingFault, 'what' | 'nodes'>): string {
  const [kind = '', ...rest] = what.split(' ')
  const links = rest.filter((word) => word.includes('>'))
  if (links.length === 0) return what.replace(/ for \d{7,} ms$/, '').replace(/ within .*$/, '')
  const sides = partitionOf(links)
  if (sides !== undefined) return `${kind} ${sides.map(sideText).join(' | ')}`
  const shown =
    links.length <= MOST_LINKS ? links.join(' ') : `${links.length} links of ${nodes.length} nodes`
  return `${kind} ${shown}`
}

/** Of a bad message only what fits a line. */
export const clipped = (text: string, most = 160): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`
