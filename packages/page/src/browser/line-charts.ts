/** Charts of lines: quantities over time with what happened meanwhile, and latency by percentile. */
import type { AlignedData, Options, Axis as PlotAxis, Series } from 'uplot'
import type { ChartMarker, ChartSpan, PercentilesData, TimeSeriesData } from '../chart-data.ts'
import { axis, bare, Hint, legend, NARROW_PX, type Size, scale } from './frame.ts'
import { bounds, compact, exact } from './numbers.ts'
import type { Theme } from './theme.ts'

type Plot = InstanceType<typeof uPlot>

/** Draws into `place`, which is empty; the plot follows its size by `setSize`. */
export function drawTimeSeries(place: HTMLElement, data: TimeSeriesData, theme: Theme, size: Size): Plot {
  const { x, y, right, xs, series, markers, spans } = data
  const onSide = (side: 'left' | 'right'): number[] =>
    series
      .filter((one) => (one.side ?? 'left') === side)
      .flatMap(({ values }) => values.filter((value) => value !== null))
  const colours = series.map((_, index) => theme.palette[index % theme.palette.length] as string)
  const leftBounds = bounds(onSide('left'), y.isLog === true)
  const rightBounds = bounds(onSide('right'), right?.isLog === true)
  const times = [...xs, ...markers.map(({ at }) => at)]
  const onRight = series.filter(({ side }) => side === 'right').length
  const xBounds: [number, number] = [Math.min(...times), Math.max(...times)]
  const axes: PlotAxis[] = [axis(theme, x, 'x', 2), axis(theme, y, 'y', 3)]
  if (right !== undefined) axes.push(axis(theme, right, 'right', 1))
  const hint = new Hint(place)
  const rows = (index: number) =>
    series.map(({ label, values }, at) => ({ name: label, value: exact(values[index]), colour: colours[at] }))
  const options: Options = {
    ...bare,
    ...size,
    padding: [markers.length > 0 ? 6 + MARKER_ROWS * MARKER_ROW_PX : 12, 18, 0, 0],
    scales: {
      x: scale(x.isLog, () => xBounds),
      y: scale(y.isLog, () => leftBounds),
      ...(right === undefined ? {} : { right: scale(right.isLog, () => rightBounds) }),
    },
    axes,
    series: [
      {},
      ...series.map(({ side }, index) =>
        lineOf(colours[index] as string, side === 'right', series.length - onRight === 1),
      ),
    ],
    hooks: {
      drawClear: [(plot) => drawSpans(plot, spans, theme)],
      draw: [(plot) => drawMarkers(plot, markers, theme)],
      setCursor: [(plot) => showAt(plot, hint, (index) => `${exact(xs[index])} · ${x.label}`, rows)],
    },
  }
  const plot = new uPlot(options, [[...xs], ...series.map(({ values }) => [...values])] as AlignedData, place)
  if (series.length > 1)
    place.append(legend(series.map(({ label }, at) => ({ label, colour: colours[at] as string }))))
  return plot
}

function lineOf(colour: string, isRight: boolean, isAlone: boolean): Series {
  return {
    scale: isRight ? 'right' : 'y',
    stroke: colour,
    width: isRight ? 1.25 : 2,
    ...(isRight ? { dash: [4, 3] } : {}),
    // Filled areas of several series would mix their colours.
    ...(isAlone && !isRight ? { fill: `color-mix(in srgb, ${colour} 9%, transparent)` } : {}),
    points: { show: false },
  }
}

function showAt(
  plot: Plot,
  hint: Hint,
  title: (index: number) => string,
  rows: (index: number) => Parameters<Hint['show']>[2],
): void {
  const { idx, left = -1, top = -1 } = plot.cursor
  if (idx === null || idx === undefined || left < 0) return hint.hide()
  const { offsetLeft, offsetTop } = plot.over
  hint.show({ x: left + offsetLeft, y: top + offsetTop }, title(idx), rows(idx))
}

/** Bands behind the lines, from top to bottom, with the label in the upper edge. */
function drawSpans(plot: Plot, spans: readonly ChartSpan[], theme: Theme): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.textAlign = 'left'
  ctx.textBaseline = 'alphabetic'
  for (const { from, to, label, kind } of spans) {
    const left = plot.valToPos(from, 'x', true)
    const width = Math.max(1, plot.valToPos(to, 'x', true) - left)
    ctx.fillStyle = theme.kinds[kind] as string
    ctx.globalAlpha = 0.13
    ctx.fillRect(left, bbox.top, width, bbox.height)
    ctx.globalAlpha = 1
    ctx.font = scaled(theme.font)
    if (ctx.measureText(label).width < width - 8)
      ctx.fillText(label, left + 4, bbox.top + 14 * devicePixelRatio)
  }
  ctx.restore()
}

/** Labels above the plot stand in so many rows where they would meet: a fault, an exit and an election are near each other. */
const MARKER_ROWS = 3
const MARKER_ROW_PX = 14

/** Lines across the plot; labels above it. */
function drawMarkers(plot: Plot, markers: readonly ChartMarker[], theme: Theme): void {
  const { ctx, bbox } = plot
  const ends = new Array<number>(MARKER_ROWS).fill(Number.NEGATIVE_INFINITY)
  ctx.save()
  // Whoever drew the axes left theirs.
  ctx.textAlign = 'left'
  ctx.textBaseline = 'alphabetic'
  ctx.font = scaled(theme.font)
  ctx.lineWidth = 1.5 * devicePixelRatio
  for (const { at, label, kind } of [...markers].sort((left, right) => left.at - right.at)) {
    const x = plot.valToPos(at, 'x', true)
    const width = ctx.measureText(label).width
    const from = Math.max(bbox.left, Math.min(x - width / 2, bbox.left + bbox.width - width))
    const row = ends.findIndex((end) => from > end)
    ctx.fillStyle = theme.kinds[kind] as string
    ctx.strokeStyle = theme.kinds[kind] as string
    ctx.setLineDash(kind === 'fault' ? [] : [5 * devicePixelRatio, 4 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(x, bbox.top - 2)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    // One more in the same place would only be a smear: the table names it.
    if (row < 0) continue
    ctx.fillText(label, from, bbox.top - (6 + row * MARKER_ROW_PX) * devicePixelRatio)
    ends[row] = from + width + 8 * devicePixelRatio
  }
  ctx.restore()
}

/** uPlot scales the fonts of axes for dense screens; what is drawn by hand has to. */
const scaled = (font: string): string =>
  font.replace(/^([\d.]+)px/, (_, pixels: string) => `${Number(pixels) * devicePixelRatio}px`)

/** Where a percentile stands: the share of samples beyond it, one decade for each further nine. */
const beyond = (percent: number): number => 100 / (100 - percent)

const NAMED = [50, 90, 99, 99.9, 99.99]

export function drawPercentiles(place: HTMLElement, data: PercentilesData, theme: Theme, size: Size): Plot {
  const { y, series } = data
  const colours = series.map((_, index) => theme.palette[index % theme.palette.length] as string)
  const tables: AlignedData[] = series.map(
    ({ points }) => [points.map(({ percent }) => beyond(percent)), points.map(({ ms }) => ms)] as AlignedData,
  )
  const joined = uPlot.join(tables)
  const xs = joined[0] as number[]
  const all = series.flatMap(({ points }) => points.map(({ ms }) => ms))
  const yBounds = bounds(all, y.isLog === true)
  const last = Math.max(10, ...xs)
  const hint = new Hint(place)
  const xAxis: PlotAxis = {
    ...axis(theme, { label: 'percentile' }, 'x', 2),
    splits: (plot) => {
      const isCrowded = plot.width < NARROW_PX && last > 100
      const named = isCrowded ? NAMED.filter((percent) => percent !== 50) : NAMED
      return [1, ...named.map(beyond)].filter((value) => value <= last * 1.001)
    },
    filter: (_, splits) => splits,
    values: (_, splits) => splits.map((value) => `${percentOf(value)} %`),
  }
  const rows = (index: number) =>
    series.map(({ label }, at) => {
      const value = joined[at + 1]?.[index]
      return { name: label, value: value == null ? '–' : `${compact(value)} ms`, colour: colours[at] }
    })
  const options: Options = {
    ...bare,
    ...size,
    padding: [12, 30, 0, 0],
    scales: { x: scale(true, () => [1, last]), y: scale(y.isLog, () => yBounds) },
    axes: [xAxis, axis(theme, y, 'y', 3)],
    series: [{}, ...colours.map((stroke) => ({ stroke, width: 2, spanGaps: true, points: { show: false } }))],
    hooks: {
      setCursor: [(plot) => showAt(plot, hint, (index) => `${percentOf(xs[index] as number)} %`, rows)],
    },
  }
  const plot = new uPlot(options, joined, place)
  place.append(legend(series.map(({ label }, at) => ({ label, colour: colours[at] as string }))))
  return plot
}

const percentOf = (value: number): number => Number((100 - 100 / value).toFixed(2))
