/**
 * The axes of a sweep and the points between them. Pure; pages inline it.
 *
 * Some axes are conditions: what the world imposes (the network's delay, the cost of a flush, how many nodes, how large
 * commands are). The others are knobs that one may turn. Points compete only under equal conditions.
 */

/** One point: a value for each axis. */
export interface SweepSettings {
  /** Callers that each await their command before the next. */
  readonly window: number
  readonly maxBatchCommands: number
  readonly maxBatchBytes: number
  readonly lingerMs: number
  readonly maxInflightMessages: number
  readonly sizeBytes: number
  readonly nodes: number
  /** One way, between nodes. */
  readonly delayMs: number
  /** What each flush costs beyond what it costs anyway. */
  readonly flushMs: number
}

export type AxisName = keyof SweepSettings

export interface Axis {
  readonly name: AxisName
  /** Of the command line, without the dashes. */
  readonly option: string
  readonly label: string
  readonly unit: string
  readonly role: 'condition' | 'knob'
  /** Whether another value needs another cluster. */
  readonly restarts: boolean
}

/**
 * The outermost loop first: what needs another cluster changes least often. Another size does, because what is there at
 * the end is counted against one load, and because the state would keep values of the size before.
 */
export const axes: readonly Axis[] = [
  { name: 'nodes', option: 'nodes', label: 'nodes', unit: '', role: 'condition', restarts: true },
  { name: 'sizeBytes', option: 'size', label: 'payload', unit: 'B', role: 'condition', restarts: true },
  {
    name: 'maxBatchCommands',
    option: 'max-batch-commands',
    label: 'batch',
    unit: '',
    role: 'knob',
    restarts: true,
  },
  {
    name: 'maxBatchBytes',
    option: 'max-batch-bytes',
    label: 'batch bytes',
    unit: 'B',
    role: 'knob',
    restarts: true,
  },
  { name: 'lingerMs', option: 'linger-ms', label: 'linger', unit: 'ms', role: 'knob', restarts: true },
  {
    name: 'maxInflightMessages',
    option: 'max-inflight-messages',
    label: 'in flight',
    unit: '',
    role: 'knob',
    restarts: true,
  },
  {
    name: 'delayMs',
    option: 'delay-ms',
    label: 'network delay',
    unit: 'ms',
    role: 'condition',
    restarts: false,
  },
  {
    name: 'flushMs',
    option: 'flush-ms',
    label: 'flush cost',
    unit: 'ms',
    role: 'condition',
    restarts: false,
  },
  { name: 'window', option: 'window', label: 'outstanding', unit: '', role: 'knob', restarts: false },
]

/** The values to try, by axis. */
export type SweepGrid = Readonly<Record<AxisName, readonly number[]>>

/** Every point of the grid, so ordered that a cluster serves all of its points in a row, by rising window. */
export function pointsOf(grid: SweepGrid): SweepSettings[] {
  let points: Partial<Record<AxisName, number>>[] = [{}]
  for (const { name } of axes) {
    const values = [...new Set(grid[name])].sort((left, right) => left - right)
    points = points.flatMap((point) => values.map((value) => ({ ...point, [name]: value })))
  }
  return points as unknown as SweepSettings[]
}

/** Axes with more than one value among `points`: those that tell them apart. */
export function variedAxes(points: readonly SweepSettings[]): Axis[] {
  return axes.filter(({ name }) => new Set(points.map((point) => point[name])).size > 1)
}

const part = (settings: SweepSettings, isIn: (axis: Axis) => boolean): string =>
  axes
    .filter(isIn)
    .map(({ name }) => settings[name])
    .join('/')

/** Equal for points that one cluster can serve. */
export const clusterKey = (settings: SweepSettings): string => part(settings, ({ restarts }) => restarts)

/** Equal for points that compete. */
export const conditionKey = (settings: SweepSettings): string =>
  part(settings, ({ role }) => role === 'condition')

/** Equal for points whose knobs, but for those named, and conditions are the same. */
export const keyWithout = (settings: SweepSettings, ...names: readonly AxisName[]): string =>
  part(settings, ({ name }) => !names.includes(name))

/** `network delay 5 ms, flush cost 0 ms`: the values on some axes. */
export function describe(settings: SweepSettings, which: readonly Axis[]): string {
  return which
    .map(({ name, label, unit }) => `${label} ${amount(settings[name])}${unit === '' ? '' : ` ${unit}`}`)
    .join(', ')
}

/** With thousands separators; powers of two beyond a KiB are told as such. */
export function amount(value: number): string {
  // Of a cluster that somebody else runs: nobody tells.
  if (!Number.isFinite(value)) return '?'
  if (value >= 1 << 16 && value % (1 << 20) === 0) return `${value / (1 << 20)} Mi`
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}
