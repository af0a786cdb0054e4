/** Points with a front: hover finds the nearest, a click keeps it. */
import type { Options } from 'uplot'
import type { ChartAxis } from '../chart-data.ts'
import { axis, bare, type Size, scale } from './frame.ts'
import { bounds } from './numbers.ts'
import type { Theme } from './theme.ts'

type Plot = InstanceType<typeof uPlot>

export const SHAPES = ['circle', 'square', 'triangle', 'diamond', 'cross'] as const
export type Shape = (typeof SHAPES)[number]

export interface Dot {
  readonly x: number
  readonly y: number
  readonly colour: string
  readonly shape?: Shape
  /** Drawn larger, as what is on a front. */
  readonly isStrong?: boolean
}

export interface ScatterLine {
  /** Indexes of dots, in order. */
  readonly dots: readonly number[]
  readonly colour: string
  /** A front is drawn in steps: between two of its points nothing better is known. */
  readonly isFront: boolean
}

export interface ScatterView {
  readonly x: ChartAxis
  readonly y: ChartAxis
  readonly dots: readonly Dot[]
  readonly lines: readonly ScatterLine[]
}

export interface ScatterEvents {
  /** @param at where the dot is, in CSS pixels within the place */
  hover(dot: number | undefined, at: { readonly x: number; readonly y: number }): void
  pick?(dot: number | undefined): void
}

/** Farther than this from the pointer, in CSS pixels, nothing is meant. */
const REACH = 28
const RADIUS = 5

export function drawScatter(
  place: HTMLElement,
  view: ScatterView,
  theme: Theme,
  size: Size,
  events: ScatterEvents,
): Plot {
  const { x, y, dots } = view
  const xBounds = bounds(
    dots.map((dot) => dot.x),
    x.isLog === true,
  )
  const yBounds = bounds(
    dots.map((dot) => dot.y),
    y.isLog === true,
  )
  let near: number | undefined
  const options: Options = {
    ...bare,
    ...size,
    scales: { x: scale(x.isLog, () => xBounds), y: scale(y.isLog, () => yBounds) },
    axes: [axis(theme, x, 'x', 2), axis(theme, y, 'y', 3)],
    series: [{}, { stroke: 'transparent', points: { show: false } }],
    hooks: {
      draw: [(plot) => drawAll(plot, view, theme, near)],
      setCursor: [
        (plot) => {
          const found = nearest(plot, dots)
          if (found === near) return
          near = found
          plot.redraw(false, false)
          events.hover(found, found === undefined ? { x: 0, y: 0 } : placeOf(plot, dots[found] as Dot))
        },
      ],
    },
  }
  // What is drawn is drawn by hand; uPlot only has to know the corners.
  const plot = new uPlot(options, [xBounds, yBounds], place)
  plot.over.addEventListener('click', () => events.pick?.(near))
  return plot
}

function placeOf(plot: Plot, { x, y }: Dot): { x: number; y: number } {
  const { offsetLeft, offsetTop } = plot.over
  return { x: plot.valToPos(x, 'x') + offsetLeft, y: plot.valToPos(y, 'y') + offsetTop }
}

function nearest(plot: Plot, dots: readonly Dot[]): number | undefined {
  const { left = -1, top = -1 } = plot.cursor
  if (left < 0) return undefined
  let best: number | undefined
  let bestDistance = REACH
  for (const [index, { x, y }] of dots.entries()) {
    const distance = Math.hypot(plot.valToPos(x, 'x') - left, plot.valToPos(y, 'y') - top)
    if (distance < bestDistance) {
      best = index
      bestDistance = distance
    }
  }
  return best
}

function drawAll(plot: Plot, { dots, lines }: ScatterView, theme: Theme, near: number | undefined): void {
  const { ctx } = plot
  ctx.save()
  for (const line of lines) drawLine(plot, line, dots)
  ctx.lineWidth = 1.25 * devicePixelRatio
  for (const dot of dots) if (dot.isStrong !== true) drawDot(plot, dot, theme, 0.85)
  for (const dot of dots) if (dot.isStrong === true) drawDot(plot, dot, theme, 1.25)
  const dot = near === undefined ? undefined : dots[near]
  if (dot !== undefined) {
    drawDot(plot, dot, theme, 1.6)
    ctx.strokeStyle = theme.ink
    ctx.lineWidth = 1.5 * devicePixelRatio
    ctx.beginPath()
    ctx.arc(...positionOf(plot, dot), RADIUS * 2.1 * devicePixelRatio, 0, 2 * Math.PI)
    ctx.stroke()
  }
  ctx.restore()
}

const positionOf = (plot: Plot, { x, y }: Dot): [x: number, y: number] => [
  plot.valToPos(x, 'x', true),
  plot.valToPos(y, 'y', true),
]

function drawLine(plot: Plot, line: ScatterLine, all: readonly Dot[]): void {
  const { ctx } = plot
  const positions = line.dots.map((index) => positionOf(plot, all[index] as Dot))
  ctx.beginPath()
  for (const [index, [x, y]] of positions.entries()) {
    const before = positions[index - 1]
    if (before !== undefined && line.isFront) ctx.lineTo(before[0], y)
    ctx.lineTo(x, y)
  }
  ctx.strokeStyle = line.colour
  ctx.globalAlpha = line.isFront ? 0.85 : 0.3
  ctx.lineWidth = (line.isFront ? 2 : 1.25) * devicePixelRatio
  ctx.lineJoin = 'round'
  ctx.stroke()
  ctx.globalAlpha = 1
}

function drawDot(plot: Plot, dot: Dot, theme: Theme, growth: number): void {
  const { ctx } = plot
  const [x, y] = positionOf(plot, dot)
  ctx.beginPath()
  trace(ctx, dot.shape ?? 'circle', x, y, RADIUS * growth * devicePixelRatio)
  ctx.fillStyle = dot.colour
  ctx.strokeStyle = theme.surface
  ctx.fill()
  ctx.stroke()
}

/** Shapes of equal weight: corners reach out farther than a circle does. */
function trace(ctx: CanvasRenderingContext2D, shape: Shape, x: number, y: number, radius: number): void {
  const corners = (angles: readonly number[], reach: number): void => {
    for (const angle of angles) {
      ctx.lineTo(x + radius * reach * Math.cos(angle), y + radius * reach * Math.sin(angle))
    }
    ctx.closePath()
  }
  const { PI } = Math
  switch (shape) {
    case 'circle':
      return ctx.arc(x, y, radius, 0, 2 * PI)
    case 'square':
      return ctx.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8)
    case 'triangle':
      return corners([-PI / 2, PI / 6, (PI * 5) / 6], 1.35)
    case 'diamond':
      return corners([-PI / 2, 0, PI / 2, PI], 1.3)
    case 'cross': {
      const arm = radius * 0.42
      ctx.rect(x - arm, y - radius * 1.2, arm * 2, radius * 2.4)
      return ctx.rect(x - radius * 1.2, y - arm, radius * 2.4, arm * 2)
    }
  }
}
