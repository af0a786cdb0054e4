/** Names and numbers of what belongs to a cluster. Without the store: who only talks to nodes has no use for that. */

/** The only group of a cluster so far. */
export const GROUP = 0

/** A number that no other directory or start will draw. */
export function drawNumber(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number]
  return 1 + (high % 0x100000) * 0x100000000 + low
}

/** The names of the nodes where the user gives none. */
export function defaultIds(count = 3): readonly string[] {
  return Array.from({ length: count }, (_, index) => `n${index + 1}`)
}
