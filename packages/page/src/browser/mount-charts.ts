/** Draws every chart of the page, again when the theme changes, and to its width. */
import type { ChartData, ScatterData } from '../chart-data.ts'
import { frontOf } from '../front.ts'
import { Hint, legend, type Size, sizeOf } from './frame.ts'
import { drawPercentiles, drawTimeSeries } from './line-charts.ts'
import { exact } from './numbers.ts'
import { drawScatter } from './scatter-plot.ts'
import { currentTheme, onThemeChange, type Theme } from './theme.ts'

type Plot = InstanceType<typeof uPlot>

for (const figure of document.querySelectorAll<HTMLElement>('[data-chart]')) mount(figure)

function mount(figure: HTMLElement): void {
  const place = figure.querySelector<HTMLElement>('.plot')
  const text = figure.querySelector('script[type="application/json"]')?.textContent
  if (place === null || text == null) return
  const data = JSON.parse(text) as ChartData
  let plot: Plot | undefined
  const draw = (): void => {
    plot?.destroy()
    place.replaceChildren()
    plot = drawChart(place, data, currentTheme(), sizeOf(place))
  }
  draw()
  onThemeChange(draw)
  new ResizeObserver(() => {
    const size = sizeOf(place)
    if (plot !== undefined && plot.width !== size.width) plot.setSize(size)
  }).observe(place)
}

function drawChart(place: HTMLElement, data: ChartData, theme: Theme, size: Size): Plot {
  switch (data.kind) {
    case 'time':
      return drawTimeSeries(place, data, theme, size)
    case 'percentiles':
      return drawPercentiles(place, data, theme, size)
    case 'scatter':
      return drawGroups(place, data, theme, size)
  }
}

function drawGroups(place: HTMLElement, data: ScatterData, theme: Theme, size: Size): Plot {
  const { x, y, groups, hasFront } = data
  const colourOf = (group: number): string => theme.palette[group % theme.palette.length] as string
  const points = groups.flatMap(({ points: inGroup }, group) => inGroup.map((point) => ({ ...point, group })))
  const front = hasFront ? frontOf(points.map((point) => ({ gain: point.x, cost: point.y }))) : []
  const dots = points.map((point, index) => ({
    x: point.x,
    y: point.y,
    colour: colourOf(point.group),
    isStrong: front.includes(index),
  }))
  const hint = new Hint(place)
  const lines = hasFront ? [{ dots: front, colour: theme.muted, isFront: true }] : []
  const plot = drawScatter(place, { x, y, dots, lines }, theme, size, {
    hover(index, at) {
      const point = index === undefined ? undefined : points[index]
      if (point === undefined) return hint.hide()
      const more = (point.details ?? []).map(([name, value]) => ({ name, value }))
      const own = [
        { name: x.label, value: exact(point.x) },
        { name: y.label, value: exact(point.y) },
      ]
      hint.show(at, point.title, [...own, ...more])
    },
  })
  if (groups.length > 1)
    place.append(legend(groups.map(({ label }, group) => ({ label, colour: colourOf(group) }))))
  return plot
}
