/**
 * Measures tasks in rounds. In each round every task gets a slice of time, and its yardstick one right before it; what
 * counts is the ratio of the two, and of all rounds the median: what else the machine does meanwhile meets both.
 */
import { Bench as TinyBench } from 'tinybench'
import { median } from '../latency.ts'
import type { MicroTask, PreparedTask, Yardstick } from './task.ts'
import { prepareYardstick } from './yardsticks.ts'

export interface MicroSettings {
  readonly rounds: number
  /** Of each task in each round. */
  readonly sliceMs: number
}

export interface MicroResult {
  readonly name: string
  readonly unit: string
  readonly yardstick: Yardstick
  /** Of one unit: the median call of the median round. */
  readonly nsPerUnit: number
  /** A call's time by that of one of its yardstick; the median of the rounds. */
  readonly ratio: number
  /** How far the middle half of the rounds lies apart, as a part of the ratio. */
  readonly spread: number
}

const NS_PER_MS = 1e6
/** A yardstick's slice is this part of a task's. */
const YARDSTICK_PART = 0.5
const WARMUP_CALLS = 16

/** The median time of a call, in milliseconds. @throws what a call throws */
async function timeOf({ call, isAsync }: PreparedTask, sliceMs: number): Promise<number> {
  const bench = new TinyBench({ time: sliceMs, iterations: 8, warmup: false, throws: true })
  bench.add('task', call, { async: isAsync })
  const [task] = await bench.run()
  const result = task?.result
  if (result === undefined || !('latency' in result)) throw new Error('the task was not measured')
  return result.latency.p50
}

interface Running {
  readonly task: MicroTask
  readonly prepared: PreparedTask
  readonly callMs: number[]
  readonly ratios: number[]
}

/** How long it takes, about. */
export const expectedMicroMs = (taskCount: number, { rounds, sliceMs }: MicroSettings): number =>
  taskCount * rounds * sliceMs * (1 + YARDSTICK_PART)

/** Prepares the tasks, measures them, and closes what they opened, whatever becomes of it. */
export async function runMicro(
  tasks: readonly MicroTask[],
  directory: string,
  settings: MicroSettings,
  onRound: (round: number) => void = () => {},
): Promise<MicroResult[]> {
  const opened: PreparedTask[] = []
  const open = (prepared: PreparedTask): PreparedTask => {
    opened.push(prepared)
    return prepared
  }
  try {
    const yardsticks = new Map<Yardstick, PreparedTask>()
    for (const { yardstick } of tasks) {
      if (!yardsticks.has(yardstick)) yardsticks.set(yardstick, open(prepareYardstick(yardstick, directory)))
    }
    const running: Running[] = []
    for (const task of tasks) {
      running.push({ task, prepared: open(await task.prepare(directory)), callMs: [], ratios: [] })
    }
    for (const { prepared } of running) for (let call = 0; call < WARMUP_CALLS; call++) await prepared.call()
    for (let round = 1; round <= settings.rounds; round++) {
      onRound(round)
      for (const one of running) await measure(one, yardsticks, settings.sliceMs)
    }
    return running.map(resultOf)
  } finally {
    for (const { close } of opened.reverse()) await close?.()
  }
}

async function measure(
  { task, prepared, callMs, ratios }: Running,
  yardsticks: ReadonlyMap<Yardstick, PreparedTask>,
  sliceMs: number,
): Promise<void> {
  const yardstick = yardsticks.get(task.yardstick) as PreparedTask
  const unitMs = await timeOf(yardstick, sliceMs * YARDSTICK_PART)
  const ms = await timeOf(prepared, sliceMs)
  callMs.push(ms)
  ratios.push(ms / unitMs)
}

function resultOf({ task, callMs, ratios }: Running): MicroResult {
  const { name, unit, yardstick, unitsPerCall } = task
  const ratio = median(ratios) ?? 0
  const rising = ratios.toSorted((left, right) => left - right)
  const quarter = rising.length >> 2
  const apart = (rising[rising.length - 1 - quarter] as number) - (rising[quarter] as number)
  return {
    name,
    unit,
    yardstick,
    nsPerUnit: Number((((median(callMs) ?? 0) * NS_PER_MS) / unitsPerCall).toPrecision(4)),
    ratio: Number(ratio.toPrecision(4)),
    spread: ratio === 0 ? 0 : Number((apart / ratio).toPrecision(3)),
  }
}
