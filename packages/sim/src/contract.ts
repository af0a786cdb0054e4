/** Somebody broke a rule of the simulation: an invariant of Raft, or the contract of a port. Ends the run. */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** Which invariant, or which port's contract. */
  readonly rule: string

  constructor(rule: string, message: string) {
    super(message)
    this.rule = rule
  }
}

/** Throws a {@link Violation} where `condition` does not hold. */
export function demand(condition: boolean, rule: string, message: () => string): asserts condition {
  if (!condition) throw new Violation(rule, message())
}
