/**
 * What can be seen on a real cluster: nearly all that the simulator knows, by its names. What is left out here needs what no
 * node tells: what a crash took from a disk, a lease at some moment, bits on the way.
 */

/** Situations that no engine with real nodes can see. */
export const unobservable: ReadonlySet<string> = new Set([
  'vote lost before its flush',
  'written without anyone being told',
  'rollback proven by a leader',
  'lease read in the last tenth of its lease',
  'corrupted frame dropped',
])

/** Invariants that are looked at in the simulator alone. Answers are looked at when the run is over. */
export const unobservableInvariants: ReadonlySet<string> = new Set([
  'a lease excludes other leaders',
  'answers',
])
