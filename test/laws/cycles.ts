/**
 * Cycles of a graph, each as the list of its nodes in the order of the edges: one for each edge that leads back
 * in a depth-first walk. Empty exactly when the graph has none.
 */
export function findCycles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (node: string): void => {
    const at = path.indexOf(node)
    if (at !== -1) cycles.push(path.slice(at))
    if (at !== -1 || done.has(node)) return
    path.push(node)
    for (const next of edges.get(node) ?? []) visit(next)
    path.pop()
    done.add(node)
  }
  for (const node of edges.keys()) visit(node)
  return cycles
}
