/** How far a run is searched, and how long a world may take once everything is healed. */
export interface RunBounds {
  /** Steps of the search for an order of the history, of each key. */
  readonly maxSteps?: number | undefined
  /** For each step of finding together again, in virtual ms; without it in proportion to what has to be moved. */
  readonly convergeMs?: number | undefined
  /** Of every client, once there is one leader. @default 1 */
  readonly freshWrites?: number | undefined
  /** The same, of each consistency. @default 1 */
  readonly freshReads?: number | undefined
}
