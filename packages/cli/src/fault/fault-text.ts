/** Faults that last, for people. */
import type { InjectedRemoteFault, RemoteFault, Unheard } from '@troupe/cluster'
import { aligned } from '../output.ts'

export function listText({
  faults,
  missing,
}: {
  readonly faults: readonly RemoteFault[]
  readonly missing: readonly Unheard[]
}): string {
  const rows = faults.map(({ id, text, nodes, leftMs }) => [id, secondsText(leftMs), nodes.join(' '), text])
  const table =
    rows.length === 0 ? 'no fault lasts\n' : aligned([['id', 'left', 'nodes', 'fault'], ...rows], [1])
  return `${table}${unheardText(missing)}`
}

export function toldText({ text, leftMs, missing }: InjectedRemoteFault): string {
  const until = leftMs === 0 ? 'over at once' : `for ${secondsText(leftMs)}`
  return `${text}; ${until}\n${unheardText(missing)}`
}

const unheardText = (missing: readonly Unheard[]): string =>
  missing.map(({ node, reason }) => `not reached: ${node} (${reason})\n`).join('')

function secondsText(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`
}
