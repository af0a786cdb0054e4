/** What all charts share: sizes, axes in the page's colours, a hint at the pointer, a legend. */
import type { Options, Axis as PlotAxis, Scale } from 'uplot'
import type { ChartAxis } from '../chart-data.ts'
import { compact, logSplits } from './numbers.ts'
import type { Theme } from './theme.ts'

const MIN_HEIGHT = 260
const MAX_HEIGHT = 420

/** A plot that is narrower has room for fewer numbers along its x axis. */
export const NARROW_PX = 520

export interface Size {
  readonly width: number
  readonly height: number
}

export function sizeOf(place: HTMLElement, share = 0.46, maxHeight = MAX_HEIGHT): Size {
  const width = Math.max(280, Math.floor(place.clientWidth))
  return { width, height: Math.round(Math.min(maxHeight, Math.max(MIN_HEIGHT, width * share))) }
}

/** An axis with its label along it. @param side of uPlot: 1 right, 2 bottom, 3 left */
export function axis(theme: Theme, { label, isLog }: ChartAxis, scale: string, side: 1 | 2 | 3): PlotAxis {
  const line = { stroke: theme.grid, width: 1 }
  return {
    scale,
    side,
    label,
    font: theme.font,
    labelFont: theme.font,
    labelSize: 22,
    size: side === 2 ? 34 : 54,
    gap: 6,
    stroke: theme.muted,
    grid: side === 1 ? { show: false } : { ...line, ...(isLog === true ? { filter: onlyDecades } : {}) },
    ticks: { ...line, size: 4 },
    // By itself it would count decades from where the axis happens to begin.
    ...(isLog === true
      ? {
          splits: (plot, _, min, max) => logSplits(min, max, side === 2 && plot.width < NARROW_PX),
          filter: (_, splits) => splits,
        }
      : {}),
    values: (_, splits) => splits.map((value) => (value === null ? '' : compact(value))),
  }
}

/** Lines at 1, 10, 100 where there are several decades: those between would be a mesh. */
const onlyDecades = (_: unknown, splits: readonly (number | null)[]): (number | null)[] => {
  const isDecade = (value: number | null): boolean =>
    value !== null && Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9
  return splits.filter(isDecade).length < 2
    ? [...splits]
    : splits.map((value) => (isDecade(value) ? value : null))
}

/** A scale that does not jump: its bounds are what `bounds` says. */
export function scale(isLog: boolean | undefined, limits: () => [number, number]): Scale {
  return { time: false, range: limits, ...(isLog ? { distr: 3 as const, log: 10 as const } : {}) }
}

/** A chart without uPlot's own legend and zoom. */
export const bare: Partial<Options> = {
  legend: { show: false },
  cursor: { drag: { x: false, y: false }, points: { show: false } },
  padding: [12, 18, 0, 0],
}

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = '',
  text = '',
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  if (className !== '') made.className = className
  if (text !== '') made.textContent = text
  return made
}

/** A box at the pointer. */
export class Hint {
  readonly #box = element('div', 'hint')
  readonly #place: HTMLElement

  constructor(place: HTMLElement) {
    this.#place = place
    this.#box.hidden = true
    place.append(this.#box)
  }

  hide(): void {
    this.#box.hidden = true
  }

  /** @param at in CSS pixels within the place */
  show(at: { readonly x: number; readonly y: number }, title: string, rows: readonly HintRow[]): void {
    const list = element('dl')
    for (const { name, value, colour } of rows) {
      const term = element('dt', '', name)
      if (colour !== undefined) term.prepend(swatch(colour))
      list.append(term, element('dd', '', value))
    }
    this.#box.replaceChildren(element('strong', '', title), list)
    this.#box.hidden = false
    const { offsetWidth, offsetHeight } = this.#box
    const isRight = at.x + offsetWidth + 24 > this.#place.clientWidth
    this.#box.style.left = `${Math.max(0, isRight ? at.x - offsetWidth - 14 : at.x + 14)}px`
    this.#box.style.top = `${Math.max(0, Math.min(at.y - 10, this.#place.clientHeight - offsetHeight))}px`
  }
}

export interface HintRow {
  readonly name: string
  readonly value: string
  readonly colour?: string | undefined
}

export function swatch(colour: string, shape = 'dot'): HTMLElement {
  const mark = element('i', `swatch ${shape}`)
  mark.style.background = colour
  return mark
}

/** Names with their colours, below a chart. */
export function legend(entries: readonly { readonly label: string; readonly colour: string }[]): HTMLElement {
  const list = element('ul', 'legend')
  for (const { label, colour } of entries) {
    const item = element('li', '', label)
    item.prepend(swatch(colour, 'line'))
    list.append(item)
  }
  return list
}
