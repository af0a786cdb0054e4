/** The explorer: pick what stands on which axis, narrow the points, hover one and see all that is known of it. */

import { element, sizeOf, swatch } from '@troupe/page/browser/frame.ts'
import { drawScatter, type ScatterLine, SHAPES, type Shape } from '@troupe/page/browser/scatter-plot.ts'
import { currentTheme, onThemeChange, rampColour, type Theme } from '@troupe/page/browser/theme.ts'
import { frontOf } from '@troupe/page/front.ts'
import { type Axis, type AxisName, amount, conditionKey, keyWithout } from '../axes.ts'
import type { ExplorerData, ExplorerPoint } from '../explorer-data.ts'
import { showPoint } from './point-card.ts'

interface Choice {
  readonly id: string
  readonly label: string
  readonly value: (point: ExplorerPoint) => number | null
  readonly isMetric: boolean
}

const METRICS: readonly Choice[] = [
  { id: 'ops', label: 'throughput, commands/s', value: (point) => point.opsPerSecond, isMetric: true },
  { id: 'p99', label: 'p99, ms', value: (point) => point.p99Ms, isMetric: true },
  { id: 'p50', label: 'p50, ms', value: (point) => point.p50Ms, isMetric: true },
  { id: 'max', label: 'slowest, ms', value: (point) => point.maxMs, isMetric: true },
]

const NONE = 'none'
const LIMIT = 'limit'

class Explorer {
  readonly #place: HTMLElement
  readonly #card: HTMLElement
  readonly #data: ExplorerData
  readonly #choices: readonly Choice[]
  readonly #selects = new Map<string, HTMLSelectElement>()
  /** Values that are left out, by axis. */
  readonly #hidden = new Map<AxisName, Set<number>>()
  readonly #legend: HTMLElement
  #pinned: ExplorerPoint | undefined
  #plot: ReturnType<typeof drawScatter> | undefined

  constructor(section: HTMLElement, data: ExplorerData) {
    this.#place = section.querySelector('.plot') as HTMLElement
    this.#card = section.querySelector('aside') as HTMLElement
    this.#legend = section.querySelector('.keys') as HTMLElement
    this.#data = data
    this.#choices = [
      ...METRICS,
      ...data.axes.map(({ name, label, unit }) => ({
        id: name,
        label: unit === '' ? label : `${label}, ${unit}`,
        value: (point: ExplorerPoint) => point[name],
        isMetric: false,
      })),
    ]
    this.#makeControls(section.querySelector('.controls') as HTMLElement)
    this.#show(this.#best())
    this.#draw()
    onThemeChange(() => this.#draw())
    new ResizeObserver(() => {
      if (this.#plot?.width !== sizeOf(this.#place).width) this.#draw()
    }).observe(this.#place)
  }

  #makeControls(controls: HTMLElement): void {
    const { axes } = this.#data
    const own = axes.map(({ name, label }) => ({ id: name as string, label }))
    const conditions = axes.filter(({ role }) => role === 'condition').map(({ name }) => name as string)
    const knobs = axes
      .filter(({ role, name }) => role === 'knob' && name !== 'window')
      .map(({ name }) => name as string)
    const kinds = [...conditions, ...knobs]
    const none = { id: NONE, label: 'nothing' }
    const row = element('div', 'selects')
    const add = (name: string, label: string, list: readonly { id: string; label: string }[], id: string) =>
      row.append(this.#select(name, label, list, id))
    add('x', 'Across', this.#choices, 'ops')
    add('y', 'Up', this.#choices, 'p99')
    add('colour', 'Colour', [...own, { id: LIMIT, label: 'what limits' }, none], kinds[0] ?? LIMIT)
    add('shape', 'Shape', [...own, none], kinds[1] ?? NONE)
    add('line', 'Lines along', [...own, none], axes.some(({ name }) => name === 'window') ? 'window' : NONE)
    controls.append(row, this.#filters(axes))
  }

  #select(
    name: string,
    label: string,
    list: readonly { readonly id: string; readonly label: string }[],
    id: string,
  ): HTMLElement {
    const select = element('select')
    for (const entry of list) {
      const option = element('option', '', entry.label)
      option.value = entry.id
      select.append(option)
    }
    select.value = id
    select.addEventListener('change', () => this.#draw())
    this.#selects.set(name, select)
    const wrapper = element('label', '', label)
    wrapper.append(select)
    return wrapper
  }

  #filters(axes: readonly Axis[]): HTMLElement {
    const row = element('div', 'filters')
    for (const axis of axes) {
      const set = element('fieldset')
      set.append(element('legend', '', axis.unit === '' ? axis.label : `${axis.label}, ${axis.unit}`))
      for (const value of this.#valuesOf(axis.name)) set.append(this.#filter(axis, value))
      row.append(set)
    }
    return row
  }

  #filter({ name }: Axis, value: number): HTMLElement {
    const box = element('input')
    box.type = 'checkbox'
    box.checked = true
    box.addEventListener('change', () => {
      const hidden = this.#hidden.get(name) ?? new Set<number>()
      this.#hidden.set(name, hidden)
      if (box.checked) hidden.delete(value)
      else hidden.add(value)
      this.#draw()
    })
    const label = element('label', 'chip')
    label.append(box, element('span', '', amount(value)))
    return label
  }

  #valuesOf(name: AxisName): number[] {
    return [...new Set(this.#data.points.map((point) => point[name]))].sort((left, right) => left - right)
  }

  #picked(name: string): string {
    return this.#selects.get(name)?.value ?? NONE
  }

  #choice(name: string): Choice {
    const id = this.#picked(name)
    return this.#choices.find((choice) => choice.id === id) ?? (METRICS[0] as Choice)
  }

  /** What there is to look at before anybody has pointed at anything: the fastest. */
  #best(): ExplorerPoint | undefined {
    return this.#data.points.reduce<ExplorerPoint | undefined>(
      (best, point) => (best === undefined || point.opsPerSecond > best.opsPerSecond ? point : best),
      undefined,
    )
  }

  #show(point: ExplorerPoint | undefined): void {
    if (point !== undefined) showPoint(this.#card, point, this.#data, this.#pinned === point)
  }

  #visible(x: Choice, y: Choice): ExplorerPoint[] {
    return this.#data.points.filter((point) => {
      if (x.value(point) === null || y.value(point) === null) return false
      return [...this.#hidden].every(([name, values]) => !values.has(point[name]))
    })
  }

  #draw(): void {
    const theme = currentTheme()
    const x = this.#choice('x')
    const y = this.#choice('y')
    const points = this.#visible(x, y)
    const colourOf = this.#colours(theme)
    const shapeOf = this.#shapes()
    const fronts = x.id === 'ops' && y.isMetric && y.id !== 'ops' ? frontsOf(points, y) : []
    const onFront = new Set(fronts.flat())
    const dots = points.map((point, index) => ({
      x: x.value(point) as number,
      y: y.value(point) as number,
      colour: colourOf(point),
      shape: shapeOf(point),
      isStrong: onFront.has(index),
    }))
    const frontLines = fronts.map((front) => ({
      dots: front,
      colour: this.#isColouredByCondition() ? (dots[front[0] as number]?.colour ?? theme.ink) : theme.ink,
      isFront: true,
    }))
    this.#plot?.destroy()
    this.#place.replaceChildren()
    if (points.length === 0) {
      this.#place.append(element('p', 'empty', 'No point is left: allow some more values.'))
      this.#plot = undefined
      return
    }
    const view = {
      x: { label: x.label, isLog: isLog(x, points) },
      y: { label: y.label, isLog: isLog(y, points) },
      dots,
      lines: [...this.#lines(points, colourOf), ...frontLines],
    }
    this.#plot = drawScatter(this.#place, view, theme, sizeOf(this.#place, 0.72, 600), {
      hover: (index) => this.#show(index === undefined ? (this.#pinned ?? undefined) : points[index]),
      pick: (index) => {
        this.#pinned = index === undefined || this.#pinned === points[index] ? undefined : points[index]
        this.#show(index === undefined ? this.#pinned : points[index])
      },
    })
    this.#drawKeys(theme, fronts.length > 0)
  }

  #isColouredByCondition(): boolean {
    const colour = this.#picked('colour')
    return this.#data.axes.some(({ role, name }) => role === 'condition' && name === colour)
  }

  #lines(points: readonly ExplorerPoint[], colourOf: (point: ExplorerPoint) => string): ScatterLine[] {
    const along = this.#picked('line') as AxisName | typeof NONE
    if (along === NONE) return []
    const groups = new Map<string, number[]>()
    for (const [index, point] of points.entries()) {
      const key = keyWithout(point, along)
      groups.set(key, [...(groups.get(key) ?? []), index])
    }
    return [...groups.values()].map((group) => {
      const dots = group.sort((left, right) => (points[left]?.[along] ?? 0) - (points[right]?.[along] ?? 0))
      return { dots, colour: colourOf(points[dots[0] as number] as ExplorerPoint), isFront: false }
    })
  }

  #colours(theme: Theme): (point: ExplorerPoint) => string {
    const by = this.#picked('colour')
    if (by === NONE) return () => theme.palette[0] as string
    if (by === LIMIT) return (point) => limitColour(this.#data, point.limit.kind, theme)
    const values = this.#valuesOf(by as AxisName)
    const last = Math.max(1, values.length - 1)
    return (point) => rampColour(theme.ramp, values.indexOf(point[by as AxisName]) / last)
  }

  #shapes(): (point: ExplorerPoint) => Shape {
    const by = this.#picked('shape')
    if (by === NONE) return () => 'circle'
    const values = this.#valuesOf(by as AxisName)
    // The fifth stands for all values beyond the fourth.
    return (point) => SHAPES[Math.min(SHAPES.length - 1, values.indexOf(point[by as AxisName]))] as Shape
  }

  #drawKeys(theme: Theme, hasFront: boolean): void {
    const parts: HTMLElement[] = []
    const colour = this.#picked('colour')
    if (colour === LIMIT) {
      const kinds = [...new Set(this.#data.points.map(({ limit }) => limit.kind))]
      const entries = kinds.map((kind) => ({
        label: this.#data.limitNames[kind] ?? kind,
        mark: swatch(limitColour(this.#data, kind, theme)),
      }))
      parts.push(keyList('limited by', entries))
    } else if (colour !== NONE) {
      const values = this.#valuesOf(colour as AxisName)
      const last = Math.max(1, values.length - 1)
      const entries = values.map((value, index) => ({
        label: amount(value),
        mark: swatch(rampColour(theme.ramp, index / last)),
      }))
      parts.push(keyList(this.#labelOf(colour), entries))
    }
    const shape = this.#picked('shape')
    if (shape !== NONE) {
      const entries = this.#valuesOf(shape as AxisName).map((value, index) => ({
        label: amount(value),
        mark: swatch(theme.muted, SHAPES[Math.min(index, SHAPES.length - 1)]),
      }))
      parts.push(keyList(this.#labelOf(shape), entries))
    }
    if (hasFront) {
      const what = this.#data.axes.some(({ role }) => role === 'condition')
        ? 'the front of each set of conditions'
        : 'the front'
      parts.push(keyList('', [{ label: what, mark: swatch(theme.ink, 'line') }]))
    }
    this.#legend.replaceChildren(...parts)
  }

  #labelOf(id: string): string {
    return this.#choices.find((choice) => choice.id === id)?.label ?? id
  }
}

function frontsOf(points: readonly ExplorerPoint[], y: Choice): number[][] {
  const groups = new Map<string, number[]>()
  for (const [index, point] of points.entries()) {
    const key = conditionKey(point)
    groups.set(key, [...(groups.get(key) ?? []), index])
  }
  return [...groups.values()].map((group) => {
    const goals = group.map((index) => {
      const point = points[index] as ExplorerPoint
      return { gain: point.opsPerSecond, cost: y.value(point) ?? Number.NaN }
    })
    return frontOf(goals).map((at) => group[at] as number)
  })
}

/** Where values differ by a decade. */
function isLog(choice: Choice, points: readonly ExplorerPoint[]): boolean {
  const values = points.map((point) => choice.value(point) as number)
  const low = Math.min(...values)
  return low > 0 && Math.max(...values) / low >= 8
}

function limitColour({ limitNames }: ExplorerData, kind: string, theme: Theme): string {
  // Grey, as in the table: it is the want of a limit.
  const index = kind === 'window' ? theme.palette.length - 1 : Object.keys(limitNames).indexOf(kind)
  return theme.palette[index] as string
}

function keyList(
  title: string,
  entries: readonly { readonly label: string; readonly mark: HTMLElement }[],
): HTMLElement {
  const list = element('ul', 'legend')
  if (title !== '') list.append(element('li', 'title', title))
  for (const { label, mark } of entries) {
    const item = element('li', '', label)
    item.prepend(mark)
    list.append(item)
  }
  return list
}

for (const section of document.querySelectorAll<HTMLElement>('[data-explorer]')) {
  const text = section.querySelector('script[type="application/json"]')?.textContent
  if (text != null) new Explorer(section, JSON.parse(text) as ExplorerData)
}
