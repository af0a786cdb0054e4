/**
 * What went on beside each other: a lane for each node, client or fault, from left to right in time (or along a log). Drawn as
 * SVG in the markup: it needs no script, prints, and follows light and dark by the style sheet.
 */
import { type Html, html } from './html.ts'

/** A colour of the page: one of the series, or what something means. */
export type Tone = `series-${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}` | 'good' | 'bad' | 'warn' | 'muted'

/** `full`: what matters; `faint`: there, and nothing special; `open`: an outline: not there, or not yet. */
export type Weight = 'full' | 'faint' | 'open'

export interface LaneSegment {
  readonly from: number
  readonly to: number
  readonly tone: Tone
  readonly weight: Weight
  /** Written on it where there is room, else the short one where there is room for that. */
  readonly label?: string
  readonly shortLabel?: string
  /** Said at the pointer. */
  readonly title: string
}

export interface LaneMark {
  readonly at: number
  readonly tone: Tone
  readonly shape: 'diamond' | 'flag' | 'cross'
  readonly label?: string
  readonly title: string
}

export interface Lane {
  /** At the left. */
  readonly label: string
  readonly segments: readonly LaneSegment[]
  readonly marks?: readonly LaneMark[]
  /** Half as high: for what explains the others. @default false */
  readonly isThin?: boolean
}

/** Across all lanes. */
export interface LaneRule {
  readonly at: number
  readonly label: string
  readonly tone: Tone
}

export interface LaneBand {
  readonly from: number
  readonly to: number
  readonly tone: Tone
}

export interface LanesPicture {
  readonly title: string
  /** What a reader should see in it. */
  readonly note?: string
  /** Of the axis, with its unit. */
  readonly axis: string
  readonly from: number
  readonly to: number
  readonly lanes: readonly Lane[]
  readonly bands?: readonly LaneBand[]
  readonly rules?: readonly LaneRule[]
  readonly legend?: readonly { readonly label: string; readonly tone: Tone; readonly weight: Weight }[]
}

const WIDTH = 1100
const RIGHT = 12
const CHARACTER = 6.6
const LANE = 26
const GAP = 9
const RULE_ROW = 15
const RULE_ROWS = 3

/** Where things are: x from values, y by lane. */
interface Frame {
  readonly left: number
  readonly top: number
  readonly bottom: number
  x(value: number): number
}

export function lanesPicture(picture: LanesPicture): Html {
  const { title, note, lanes, bands = [], rules = [], legend = [] } = picture
  const frame = frameOf(picture)
  const height = frame.bottom + 40
  let top = frame.top
  const rows = lanes.map((lane) => {
    const row = laneOf(lane, frame, top)
    top += heightOf(lane) + GAP
    return row
  })
  const keys = legend.map(
    ({ label, tone, weight }) => html`<li><i class="key tone-${tone} ${weight}"></i>${label}</li>`,
  )
  return html`<figure class="chart lanes">
<figcaption><strong>${title}</strong>${note !== undefined && html`<span>${note}</span>`}</figcaption>
<div class="scroll" role="region" aria-label="${title}" tabindex="0"><svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}">
${bands.map((band) => bandOf(band, frame))}${axisOf(picture, frame)}${rows}${rulesOf(rules, frame)}
</svg></div>
${keys.length > 0 && html`<ul class="legend">${keys}</ul>`}
</figure>`
}

const heightOf = ({ isThin }: Lane): number => (isThin === true ? LANE * 0.62 : LANE)

function frameOf({ lanes, from, to, rules = [] }: LanesPicture): Frame {
  const longest = Math.max(2, ...lanes.map(({ label }) => label.length))
  const left = Math.min(260, 16 + longest * CHARACTER)
  const top = 8 + (rules.length > 0 ? Math.min(RULE_ROWS, rules.length) * RULE_ROW : 0)
  const bottom = top + lanes.reduce((sum, lane) => sum + heightOf(lane) + GAP, 0)
  const width = WIDTH - left - RIGHT
  const x = (value: number): number =>
    left + (Math.min(Math.max(value, from), to) - from) * (width / Math.max(to - from, 1e-9))
  return { left, top, bottom, x }
}

const fixed = (value: number): string => String(Number(value.toFixed(1)))

interface Size {
  readonly height: number
  readonly isThin: boolean
}

function laneOf(lane: Lane, frame: Frame, top: number): Html {
  const { label, segments, marks = [], isThin = false } = lane
  const size = { height: heightOf(lane), isThin }
  const middle = top + size.height / 2
  const sorted = [...marks].sort((left, right) => left.at - right.at)
  return html`<text class="lane-name" x="${frame.left - 10}" y="${fixed(middle + 4)}">${label}</text>
${segments.map((segment) => segmentOf(segment, frame, top, size))}${sorted.map((mark, at) => markOf(mark, frame, middle, sorted[at + 1]))}`
}

function segmentOf(segment: LaneSegment, frame: Frame, top: number, lane: Size): Html {
  const { from, to, tone, weight, title } = segment
  const x = frame.x(from)
  const width = Math.max(1, frame.x(to) - x)
  // Full ones stand out by their height too: colours alone do not tell everybody.
  const inset = weight === 'full' || lane.isThin ? 0 : lane.height * 0.2
  const label = [segment.label, segment.shortLabel].find(
    (text) => text !== undefined && text.length * CHARACTER + 8 < width,
  )
  const text =
    label !== undefined &&
    html`<text x="${fixed(x + 5)}" y="${fixed(top + lane.height / 2 + 4)}">${label}</text>`
  return html`<g class="tone-${tone} ${weight}"><title>${title}</title><rect x="${fixed(x)}" y="${fixed(top + inset)}" width="${fixed(width)}" height="${fixed(lane.height - 2 * inset)}" rx="2"/>${text}</g>`
}

/** @param next the mark behind it: labels do not run into it */
function markOf({ at, tone, shape, label, title }: LaneMark, frame: Frame, y: number, next?: LaneMark): Html {
  const x = frame.x(at)
  const path = {
    diamond: `M${fixed(x)} ${fixed(y - 7)}l6 7l-6 7l-6 -7z`,
    flag: `M${fixed(x)} ${fixed(y - 7)}v14M${fixed(x)} ${fixed(y - 7)}l9 4l-9 4z`,
    cross: `M${fixed(x - 5)} ${fixed(y - 5)}l10 10m0 -10l-10 10`,
  }[shape]
  const width = (label?.length ?? 0) * CHARACTER + 14
  const isLeft = x + width > WIDTH
  const hasRoom = isLeft || next === undefined || x + width < frame.x(next.at)
  const text =
    label !== undefined &&
    hasRoom &&
    html`<text x="${fixed(x + (isLeft ? -10 : 11))}" y="${fixed(y + 4)}" class="${isLeft ? 'end' : ''}">${label}</text>`
  return html`<g class="mark tone-${tone} ${shape}"><title>${title}</title><path d="${path}"/>${text}</g>`
}

const bandOf = ({ from, to, tone }: LaneBand, { x, top, bottom }: Frame): Html =>
  html`<rect class="band tone-${tone}" x="${fixed(x(from))}" y="${fixed(top - 4)}" width="${fixed(x(to) - x(from))}" height="${fixed(bottom - top + 4)}"/>`

/** Labels stand above the lanes, each in a row where it meets no other. */
function rulesOf(rules: readonly LaneRule[], frame: Frame): Html[] {
  const ends: number[] = new Array(RULE_ROWS).fill(Number.NEGATIVE_INFINITY)
  const rows = Math.min(RULE_ROWS, rules.length)
  return [...rules]
    .sort((left, right) => left.at - right.at)
    .map(({ at, label, tone }) => {
      const x = frame.x(at)
      const width = label.length * CHARACTER
      const isLeft = x + width > WIDTH
      const start = isLeft ? x - width : x
      const row = ends.slice(0, rows).findIndex((end) => start > end)
      const y = frame.top - 8 - Math.max(0, row) * RULE_ROW
      // One more in the same place would only be a smear: its line stays.
      const text =
        row >= 0 &&
        html`<text x="${fixed(isLeft ? x - 4 : x + 4)}" y="${fixed(y)}" class="${isLeft ? 'end' : ''}">${label}</text>`
      if (row >= 0) ends[row] = start + width + 10
      return html`<g class="rule tone-${tone}"><title>${label}</title><line x1="${fixed(x)}" x2="${fixed(x)}" y1="${fixed(row >= 0 ? y - 10 : frame.top - 4)}" y2="${fixed(frame.bottom)}"/>${text}</g>`
    })
}

function axisOf({ axis, from, to }: LanesPicture, { x, bottom, left }: Frame): Html {
  const ticks = ticksOf(from, to).map(
    (value) =>
      html`<line x1="${fixed(x(value))}" x2="${fixed(x(value))}" y1="${fixed(bottom)}" y2="${fixed(bottom + 5)}"/><text x="${fixed(x(value))}" y="${fixed(bottom + 18)}">${value}</text>`,
  )
  return html`<g class="axis"><line x1="${left}" x2="${WIDTH - RIGHT}" y1="${fixed(bottom)}" y2="${fixed(bottom)}"/>${ticks}<text class="end" x="${WIDTH - RIGHT}" y="${fixed(bottom + 34)}">${axis}</text></g>`
}

const TICKS = 10

/** Round values from `from` to `to`, about ten of them. */
export function ticksOf(from: number, to: number): readonly number[] {
  const span = to - from
  if (!(span > 0)) return [from]
  const rough = span / TICKS
  const decade = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((times) => times * decade >= rough) ?? 10) * decade
  const first = Math.ceil(from / step)
  const count = Math.floor(to / step + 1e-9) - first + 1
  return Array.from({ length: Math.max(0, count) }, (_, at) => Number(((first + at) * step).toPrecision(12)))
}
