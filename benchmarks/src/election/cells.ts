/** Cells: a fault, so many nodes, these timeouts, with or without load. Twenty of them have a name. */
import { invalidOption } from '@troupe/core'
import { type ElectionFaultName, electionFaultNames, electionFaultOf } from './election-faults.ts'
import { defaultTimeouts, type Timeouts, timeouts } from './timeouts.ts'

export const LOADS = ['idle', 'load'] as const

/** `idle`: as little as it takes to see the first commit. */
export type Load = (typeof LOADS)[number]

export interface Cell {
  readonly name: string
  readonly fault: ElectionFaultName
  readonly nodes: number
  readonly timeouts: Timeouts
  readonly load: Load
}

const wide = timeouts(150, 300)
const middle = timeouts(50, 100)
const narrow = timeouts(12, 24)

const cell = (name: string, fault: ElectionFaultName, nodes: number, times: Timeouts, load: Load): Cell => ({
  name,
  fault,
  nodes,
  timeouts: times,
  load,
})

/** In the order of the report. */
export const namedCells: readonly Cell[] = [
  cell('crash-3', 'crash', 3, wide, 'load'),
  cell('crash-5', 'crash', 5, wide, 'load'),
  cell('silent-3', 'silent-crash', 3, wide, 'idle'),
  // A setup whose figures have been published: 98 % within 300 ms.
  cell('silent-5', 'silent-crash', 5, timeouts(150, 300, 50), 'idle'),
  cell('silent-7', 'silent-crash', 7, wide, 'load'),
  cell('silent-3-middle', 'silent-crash', 3, middle, 'idle'),
  // As in the dissertation, figure 9.6.
  cell('silent-5-narrow', 'silent-crash', 5, narrow, 'idle'),
  cell('stall-3', 'stall', 3, wide, 'load'),
  cell('pause-3', 'pause', 3, wide, 'load'),
  cell('isolation-5', 'isolation', 5, wide, 'load'),
  cell('one-way-3', 'one-way', 3, wide, 'load'),
  cell('slow-disk-3', 'slow-disk', 3, wide, 'load'),
  cell('stalled-disk-3', 'stalled-disk', 3, wide, 'load'),
  cell('loss-10-5', 'loss-10', 5, wide, 'idle'),
  cell('loss-30-5', 'loss-30', 5, wide, 'idle'),
  // Votes take 400 ms there and back: with shorter timeouts nobody could be elected.
  cell('delay-200-3', 'delay-200', 3, timeouts(1000, 2000, 100), 'idle'),
  cell('clock-drift-5', 'clock-drift', 5, wide, 'idle'),
  cell('restart-storm-3', 'restart-storm', 3, wide, 'load'),
  cell('cascade-5', 'cascade', 5, wide, 'load'),
  cell('calm-5-narrow', 'none', 5, narrow, 'idle'),
]

/** Of nodes that are processes. */
export const processCells: readonly Cell[] = [
  cell('kill-3', 'crash', 3, defaultTimeouts, 'load'),
  cell('stop-3', 'pause', 3, defaultTimeouts, 'load'),
]

/**
 * The cells of these names, between commas.
 * @throws RaftError INVALID_OPTIONS
 */
export function cellsNamed(names: string, all = namedCells): readonly Cell[] {
  return names.split(',').map((part) => {
    const found = all.find(({ name }) => name === part.trim())
    if (found !== undefined) return found
    throw invalidOption('--cell', part, `one of ${all.map(({ name }) => name).join(', ')}`)
  })
}

/** @throws RaftError INVALID_OPTIONS where the fault needs more nodes */
export function checkCell({ fault, nodes }: Pick<Cell, 'fault' | 'nodes'>): void {
  const { leastNodes } = electionFaultOf(fault)
  if (nodes < leastNodes) throw invalidOption('--nodes', nodes, `at least ${leastNodes} for ${fault}`)
}

/** One that has no name of its own, and no goals. */
export function freeCell(fault: ElectionFaultName, nodes: number, times: Timeouts, load: Load): Cell {
  return cell(`${fault}-${nodes}-${times.minMs}-${load}`, fault, nodes, times, load)
}

const MATRIX_NODES = [3, 5, 7]
const MATRIX_TIMEOUTS = [wide, middle, narrow]
/** Where a vote takes longer than the shortest ones: it is sent through the delay, or flushed. */
const MATRIX_TIMEOUTS_OF: Readonly<Partial<Record<ElectionFaultName, readonly Timeouts[]>>> = {
  'delay-200': [timeouts(1000, 2000, 100)],
  'slow-disk': [wide, middle],
}

/** Every fault with every number of nodes, every pair of timeouts, idle and under load; where somebody can be elected. */
export function matrixCells(): readonly Cell[] {
  const cells: Cell[] = []
  for (const fault of electionFaultNames) {
    for (const nodes of MATRIX_NODES) {
      if (nodes < electionFaultOf(fault).leastNodes) continue
      for (const times of MATRIX_TIMEOUTS_OF[fault] ?? MATRIX_TIMEOUTS) {
        for (const load of LOADS) {
          cells.push(freeCell(fault, nodes, times, load))
        }
      }
    }
  }
  return cells
}
