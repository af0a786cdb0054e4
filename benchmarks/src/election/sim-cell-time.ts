import type { Cell } from './cells.ts'
import type { CellSettings } from './threads-cell.ts'

/** Real time of one trial, about. */
const TRIAL_MS = 60

/** Milliseconds of real time that it takes, about. */
export function expectedSimCellMs({ fault }: Cell, { trials, watchMs }: CellSettings): number {
  return fault === 'none' ? watchMs / 10 : trials * TRIAL_MS
}
