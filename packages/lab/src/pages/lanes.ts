/**
 * Lanes as a picture: clients from top to bottom, operations as bars from call to return, faults as bands behind them, and
 * an order of operations as a numbered path through them. A string of SVG and a style sheet, for any page.
 *
 *            │░░ partition ░░░│
 *     c0   ──[ write 1  ①]────────[ read → 2 ✗]
 *     c1   ────────[ write 2   ②   ─ ─ ─ ─ ─ ─ ─
 *
 * From left to right stand events, each as wide as any other: what matters is the order, and times may be far apart.
 */
import { escapeHtml } from '@troupe/page'

/** An operation. */
export interface LaneBar {
  /** The lane's name; lanes are in the order of their first bars, and bars that overlap get lines of their own. */
  readonly lane: string
  /** Numbers of events, or times: only their order counts. */
  readonly from: number
  /** Null where it has no end. */
  readonly to: number | null
  readonly text: string
  /** More, for a tooltip. */
  readonly title: string
  readonly tone: 'done' | 'open' | 'witness' | 'impossible'
  /** Its number in the path; undefined where it is not on it. */
  readonly place: number | undefined
}

/** A fault. */
export interface LaneBand {
  readonly from: number
  readonly to: number | null
  readonly text: string
}

export interface Lanes {
  readonly bars: readonly LaneBar[]
  readonly bands: readonly LaneBand[]
  /** What stands below an event; undefined for nothing. */
  readonly tickOf?: (at: number) => string | undefined
  /** Where the history that is shown ends; bars go on behind it. */
  readonly endAt?: number | undefined
  /** Said to who does not see the picture. */
  readonly label: string
}

const LINE = 34
const BAR = 24
/** From one event to the next: as wide as a page allows, within these. */
const MIN_STEP = 34
const MAX_STEP = 84
const PAGE = 1080
const HEAD = 30
const FOOT = 26
/** Left of the first event. */
const GUTTER = 16
const NAMES = 84
/** Least distance of two points of the path. */
const POINT_GAP = 9
const TICKS_EVERY = 4

interface PlacedBar extends LaneBar {
  readonly x: number
  readonly end: number
  readonly y: number
}

/** The picture: a box that scrolls, and in which the names stay. */
export function lanesSvg({ bars, bands, tickOf, endAt, label }: Lanes): string {
  const scale = new Scale(bars, bands)
  const { placed, lanes, height } = layOut(bars, scale)
  const svg = (name: string, width: number, attributes: string, parts: readonly string[]): string =>
    `<svg class="${name}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${attributes}>${parts.join('\n')}</svg>`
  const chart = [
    ...bands.map((band, index) => bandSvg(band, index, scale, height)),
    ...lanes.map((lane) => ruleSvg(lane, scale.width)),
    ...placed.map(barSvg),
    ...(endAt === undefined ? [] : [endSvg(scale.x(endAt), scale.width, height)]),
    pathSvg(placed),
    ...(tickOf === undefined ? [] : ticksSvg(scale, tickOf, height)),
  ]
  return [
    '<div class="lanes-box" tabindex="0">',
    svg('lanes names', NAMES, 'aria-hidden="true"', lanes.map(nameSvg)),
    svg('lanes', scale.width, `role="img" aria-label="${escapeHtml(label)}"`, chart),
    '</div>',
  ].join('\n')
}

/** Where events stand. */
class Scale {
  readonly moments: readonly number[]
  readonly width: number
  readonly #step: number

  constructor(bars: readonly LaneBar[], bands: readonly LaneBand[]) {
    const shown = bars.flatMap(({ from, to }) => (to === null ? [from] : [from, to]))
    const first = Math.min(...shown)
    const last = Math.max(...shown)
    // A band that begins and ends between two events is still to be seen.
    const inside = bands.flatMap(({ from, to }) => [from, to ?? last]).filter((at) => at > first && at < last)
    this.moments = Array.from(new Set([...shown, ...inside])).sort((left, right) => left - right)
    const count = this.moments.length + 1
    this.#step = Math.round(Math.max(MIN_STEP, Math.min(MAX_STEP, (PAGE - GUTTER) / count)))
    this.width = GUTTER + count * this.#step
  }

  /** Of the first event that is not before it; null is the end of the picture. */
  x(at: number | null): number {
    if (at === null) return this.width - MIN_STEP / 4
    let low = 0
    let high = this.moments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.moments[middle] as number) < at) low = middle + 1
      else high = middle
    }
    return GUTTER + low * this.#step
  }
}

interface Lane {
  readonly name: string
  readonly y: number
  readonly lines: number
}

function layOut(
  bars: readonly LaneBar[],
  scale: Scale,
): { readonly placed: PlacedBar[]; readonly lanes: Lane[]; readonly height: number } {
  const placed: PlacedBar[] = []
  const lanes: Lane[] = []
  let y = HEAD
  for (const [name, group] of Map.groupBy(bars, ({ lane }) => lane)) {
    /** Where the last bar of each line of this lane ends. */
    const ends: number[] = []
    for (const bar of group.toSorted((left, right) => left.from - right.from)) {
      const [x, end] = [scale.x(bar.from), scale.x(bar.to)]
      const free = ends.findIndex((each) => each <= x)
      const line = free === -1 ? ends.length : free
      ends[line] = end
      placed.push({ ...bar, x, end, y: y + line * LINE })
    }
    lanes.push({ name, y, lines: ends.length })
    y += ends.length * LINE
  }
  return { placed, lanes, height: y + FOOT }
}

function bandSvg({ from, to, text }: LaneBand, index: number, scale: Scale, height: number): string {
  const [x, end] = [scale.x(from), scale.x(to)]
  // Names of bands that overlap stand in two lines.
  const y = 11 + (index % 2) * 13
  const rect = `<rect x="${x}" y="0" width="${Math.max(3, end - x)}" height="${height - FOOT}"/>`
  return `<g class="band"><title>${escapeHtml(text)}</title>${rect}<text x="${x + 4}" y="${y}">${escapeHtml(text)}</text></g>`
}

function nameSvg({ name, y }: Lane): string {
  return `<text x="${NAMES - 10}" y="${y + BAR / 2 + 6}">${escapeHtml(name)}</text>`
}

function ruleSvg({ y, lines }: Lane, width: number): string {
  const at = y + lines * LINE - 2
  return `<line class="rule" x1="0" x2="${width}" y1="${at}" y2="${at}"/>`
}

function endSvg(x: number, width: number, height: number): string {
  const isNearEdge = width - x < 130
  const line = `<line x1="${x}" x2="${x}" y1="0" y2="${height - FOOT}"/>`
  return `<g class="end">${line}<text x="${x + (isNearEdge ? -5 : 5)}" y="24" text-anchor="${isNearEdge ? 'end' : 'start'}">the end of the prefix</text></g>`
}

function barSvg({ x, end, y, text, title, tone }: PlacedBar): string {
  const width = Math.max(6, end - x - 3)
  const clipped = `<svg x="${x}" y="${y + 2}" width="${width}" height="${BAR}"><text x="6" y="16">${escapeHtml(text)}</text></svg>`
  const mark = tone === 'impossible' ? `<text class="cross" x="${end - 2}" y="${y + 19}">✗</text>` : ''
  return `<g class="bar ${tone}"><title>${escapeHtml(title)}</title><rect x="${x}" y="${y + 2}" width="${width}" height="${BAR}" rx="4"/>${clipped}${mark}</g>`
}

/**
 * The path: each point within its bar, none before the one before it. That there are such points is what it shows; each is
 * as far to the left as the ones before it allow, and apart from them where there is room.
 */
function pathSvg(placed: readonly PlacedBar[]): string {
  const order = placed
    .filter((bar): bar is PlacedBar & { readonly place: number } => bar.place !== undefined)
    .sort((left, right) => left.place - right.place)
  /** No point is behind the end of one that follows it. */
  const limits = order.map(({ end }) => end - 3)
  for (let index = limits.length - 2; index >= 0; index--) {
    limits[index] = Math.min(limits[index] as number, limits[index + 1] as number)
  }
  let last = Number.NEGATIVE_INFINITY
  const points = order.map(({ x, y, place }, index) => {
    last = Math.min(limits[index] as number, Math.max(x + 2, last + POINT_GAP))
    return { x: last, y: y + BAR + 2, place }
  })
  if (points.length === 0) return ''
  const line = points.map(({ x, y }) => `${x},${y}`).join(' ')
  const marks = points.map(({ x, y, place }) => {
    const text = String(place)
    const width = Math.max(14, 6 + 5.5 * text.length)
    const pill = `<rect x="${x - width / 2}" y="${y - 7}" width="${width}" height="14" rx="7"/>`
    return `<g>${pill}<text x="${x}" y="${y + 3}">${text}</text></g>`
  })
  return `<g class="order"><polyline points="${line}"/>${marks.join('')}</g>`
}

function ticksSvg(scale: Scale, tickOf: (at: number) => string | undefined, height: number): string[] {
  return scale.moments.flatMap((at, index) => {
    const text = index % TICKS_EVERY === 0 ? tickOf(at) : undefined
    if (text === undefined) return []
    const x = scale.x(at)
    const mark = `<line x1="${x}" x2="${x}" y1="${height - FOOT}" y2="${height - FOOT + 5}"/>`
    // The first one would stand half behind the names.
    const style = index === 0 ? ' style="text-anchor: start"' : ''
    return [`<g class="tick">${mark}<text x="${x}" y="${height - 6}"${style}>${escapeHtml(text)}</text></g>`]
  })
}

/** The style sheet of the picture, light and dark by what the reader prefers. */
export const lanesStyle = `
.lanes-box { display: flex; overflow-x: auto; border: 1px solid var(--lane-line); border-radius: 8px; background: var(--lane-paper); }
.lanes, .lanes-box {
  --lane-paper: #ffffff; --lane-ink: #1d2129; --lane-quiet: #667085; --lane-line: #d9dde5;
  --lane-done: #dbe7fb; --lane-done-edge: #7ea3dd; --lane-open: #f1f2f5; --lane-open-edge: #a4abb8;
  --lane-witness: #fdeecb; --lane-witness-edge: #d39b1e; --lane-wrong: #fbdcda; --lane-wrong-edge: #cf3b33;
  --lane-order: #1f6f4a; --lane-band: #8a5cd6;
}
@media (prefers-color-scheme: dark) {
  .lanes, .lanes-box {
    --lane-paper: #14171c; --lane-ink: #e7eaf0; --lane-quiet: #98a1b2; --lane-line: #2c323c;
    --lane-done: #1f3354; --lane-done-edge: #557fc0; --lane-open: #20242c; --lane-open-edge: #6a7383;
    --lane-witness: #453613; --lane-witness-edge: #c79a36; --lane-wrong: #501f1d; --lane-wrong-edge: #f0706a;
    --lane-order: #57c38f; --lane-band: #a98bf0;
  }
}
.lanes { display: block; flex: none; font: 12px/1 system-ui, sans-serif; }
.lanes text { fill: var(--lane-ink); }
.lanes.names { position: sticky; left: 0; z-index: 1; background: var(--lane-paper); border-right: 1px solid var(--lane-line); }
.lanes.names text { text-anchor: end; font-weight: 600; }
.lanes .rule { stroke: var(--lane-line); }
.lanes .end line { stroke: var(--lane-wrong-edge); stroke-dasharray: 2 3; stroke-width: 1.5; }
.lanes .end text { fill: var(--lane-wrong-edge); font-size: 11px; }
.lanes .bar rect { fill: var(--lane-done); stroke: var(--lane-done-edge); }
.lanes .bar.open rect { fill: var(--lane-open); stroke: var(--lane-open-edge); stroke-dasharray: 4 3; }
.lanes .bar.witness rect { fill: var(--lane-witness); stroke: var(--lane-witness-edge); stroke-width: 2; }
.lanes .bar.impossible rect { fill: var(--lane-wrong); stroke: var(--lane-wrong-edge); stroke-width: 2.5; }
.lanes .bar .cross { fill: var(--lane-wrong-edge); font-size: 18px; font-weight: 700; }
.lanes .order polyline { fill: none; stroke: var(--lane-order); stroke-width: 1.5; opacity: .55; }
.lanes .order rect { fill: var(--lane-order); }
.lanes .order text { fill: var(--lane-paper); font-size: 8.5px; font-weight: 700; text-anchor: middle; }
.lanes .band rect { fill: var(--lane-band); opacity: .13; }
.lanes .band text { fill: var(--lane-band); font-size: 11px; font-weight: 600; }
.lanes .tick line { stroke: var(--lane-line); }
.lanes .tick text { fill: var(--lane-quiet); font-size: 10.5px; text-anchor: middle; }
`
