/** The Pareto front of two goals: more of `gain`, less of `cost`. Pure: pages inline it. */

export interface Tradeoff {
  readonly gain: number
  readonly cost: number
}

/** Indexes of the points that no other beats in one goal without losing in the other, by rising gain. Equals all stay. */
export function frontOf(points: readonly Tradeoff[]): number[] {
  const order = points
    .map((point, index) => ({ ...point, index }))
    .filter(({ gain, cost }) => Number.isFinite(gain) && Number.isFinite(cost))
    .sort((left, right) => right.gain - left.gain || left.cost - right.cost)
  const front: number[] = []
  let last: Tradeoff | undefined
  for (const point of order) {
    const isEqual = last !== undefined && point.gain === last.gain && point.cost === last.cost
    if (last !== undefined && !isEqual && point.cost >= last.cost) continue
    front.push(point.index)
    last = point
  }
  return front.reverse()
}

/**
 * Whether `point` is on the front of `points` or so near that its next measurement may put it there: nothing beats it by
 * more than `margin` (0.1: a tenth) in both goals.
 */
export function isNearFront(point: Tradeoff, points: readonly Tradeoff[], margin: number): boolean {
  return !points.some(
    ({ gain, cost }) => gain > point.gain * (1 + margin) && cost * (1 + margin) < point.cost,
  )
}
