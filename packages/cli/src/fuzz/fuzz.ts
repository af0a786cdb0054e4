/** `troupe fuzz`: what comes to the ports of a cluster of processes must not bring it down. */
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import { parseOptions } from '../options.ts'
import { aligned, counted, exitCodes, jsonOption, showHelp, sized, textStream, writeJson } from '../output.ts'
import { Progress } from '../progress.ts'
import { type CampaignReport, runCampaign } from './campaign.ts'
import { FuzzCluster } from './fuzz-cluster.ts'

const PATH = 'troupe fuzz'
const SUMMARY = 'sends broken and random streams to every port of a cluster of processes that works meanwhile'

const fuzzOptions = {
  streams: { kind: 'integer', min: 1, default: 20_000, help: 'how many' },
  concurrency: { kind: 'integer', min: 1, max: 48, default: 16, help: 'how many at once' },
  seed: { kind: 'integer', min: 0, default: 1, help: 'the streams of one seed are the same' },
  tls: {
    kind: 'flag',
    help: 'the nodes speak TLS: streams go within it, with a certificate, and one in four as it is',
  },
  json: jsonOption,
} as const satisfies OptionTable

const details = [
  'It starts three nodes on the loopback, for itself. More than half of the streams begin with a handshake that fits. A client',
  'writes all the while. It fails where a node ends, grows or loses count of what it refused, where a connection is never',
  'closed, or where what was acknowledged to the client is not there.',
]

/** Runs `troupe fuzz ARGS`; resolves with the exit code. */
export async function fuzz(args: readonly string[], context: CommandContext): Promise<number> {
  const parsed = parseOptions(args, fuzzOptions, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, fuzzOptions, details)
  const { streams, concurrency, seed, tls, json } = parsed.values
  const { signal, stderr } = context
  const progress = new Progress(stderr)
  const cluster = await FuzzCluster.start(tls, signal)
  try {
    const onProgress = (done: number): void =>
      progress.show(done / streams, `${counted(done)} of ${counted(streams)} streams`)
    const report = await runCampaign(cluster, { streams, concurrency, seed, signal, onProgress })
    progress.write('')
    writeJson(json, report, context)
    textStream(json, context).write(reportText(report, signal.aborted))
    if (signal.aborted) return exitCodes.interrupted
    return report.faults.length === 0 ? exitCodes.pass : exitCodes.fail
  } finally {
    await cluster.stop()
  }
}

function reportText(report: CampaignReport, isInterrupted: boolean): string {
  const { seed, streams, connections, welcomed, seconds, writer, faults } = report
  const share = ((100 * welcomed) / Math.max(1, streams)).toFixed(1)
  const lines = [
    `${counted(streams)} streams of seed ${seed} over ${counted(connections)} connections in ${seconds.toFixed(1)} s;` +
      ` ${counted(welcomed)} (${share} %) got past the handshake`,
    `the client: ${counted(writer.acknowledged)} writes acknowledged, ${writer.failed} keys failed, ${writer.wrong} wrong,` +
      ` longest pause ${counted(writer.longestPauseMs)} ms`,
  ]
  const verdict = faults.map((fault) => `fail: ${fault}`)
  if (isInterrupted) verdict.push('interrupted: this is what there was')
  else if (faults.length === 0) verdict.push('pass')
  return `${lines.join('\n')}\n\n${nodesTable(report)}\n${verdict.join('\n')}\n`
}

function nodesTable({ nodes, memory }: CampaignReport): string {
  const heads = ['node', 'sent', 'accepted', 'welcomed', 'refused', 'leader changes', 'memory', 'by reason']
  const rows = nodes.map(({ id, sent, accepted, welcomed, refused, leaderChanges, refusals }) => {
    const seen = memory.find((each) => each.id === id)
    const grown = seen === undefined ? '-' : `${sized(seen.warmBytes)} to ${sized(seen.endBytes)}`
    const reasons = Object.entries(refusals).map(([reason, count]) => `${reason} ${counted(count)}`)
    return [id, ...[sent, accepted, welcomed, refused, leaderChanges].map(counted), grown, reasons.join(', ')]
  })
  return aligned([heads, ...rows], [1, 2, 3, 4, 5])
}
