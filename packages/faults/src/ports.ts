/** Runs tasks at their time. The simulator's queue of events is one, timers of a worker are another. */
export interface Scheduler {
  /**
   * Runs `task` once the (true, not skewed) clock reads `atMs`, at the next occasion where that is past; never from
   * within this call. Tasks of the same time run in the order in which they were given.
   */
  schedule(atMs: number, task: () => void): void
}

/** Something that effects are switched on and off at. Several may be on at the same time. */
export interface Switchboard<Effect> {
  /** @param id given by the caller, to switch it off again; not in use */
  add(id: number, effect: Effect): void
  /** Does nothing where no such effect is on. */
  remove(id: number): void
}
