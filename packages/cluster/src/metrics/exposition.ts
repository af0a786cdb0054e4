/**
 * The text format of Prometheus, version 0.0.4.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import type { HistogramReading } from './histogram.ts'

export type Labels = Readonly<Record<string, string>>

/** A number, and what it belongs to. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** All samples of one name. */
export type MetricFamily = {
  /** Without the prefix of ours. */
  readonly name: string
  readonly help: string
} & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] }
  | {
      readonly type: 'histogram'
      readonly samples: readonly { readonly labels: Labels; readonly reading: HistogramReading }[]
    }
)

const PREFIX = 'troupe_'

/** The families of one node. */
export function exposition(families: readonly MetricFamily[]): string {
  return families
    .flatMap(linesOf)
    .map((line) => `${line}\n`)
    .join('')
}

/** The families of several nodes: each sample bears the label `node`. */
export function joinedFamilies(nodes: ReadonlyMap<string, readonly MetricFamily[]>): MetricFamily[] {
  const joined = new Map<string, MetricFamily>()
  for (const [node, families] of nodes) {
    for (const family of families) {
      const samples = family.samples.map((sample) => ({ ...sample, labels: { node, ...sample.labels } }))
      const earlier = joined.get(family.name)?.samples ?? []
      joined.set(family.name, { ...family, samples: [...earlier, ...samples] } as MetricFamily)
    }
  }
  return [...joined.values()]
}

function linesOf(family: MetricFamily): string[] {
  const name = PREFIX + family.name
  const heads = [`# HELP ${name} ${escapedHelp(family.help)}`, `# TYPE ${name} ${family.type}`]
  if (family.type === 'histogram')
    return [
      ...heads,
      ...family.samples.flatMap(({ labels, reading }) => histogramLines(name, labels, reading)),
    ]
  return [...heads, ...family.samples.map(({ labels, value }) => line(name, labels, value))]
}

/** Buckets count all that are not above their bound. */
function histogramLines(name: string, labels: Labels, { bounds, counts, sum }: HistogramReading): string[] {
  let total = 0
  const buckets = counts.map((count, at) => {
    total += count
    const bound = bounds[at]
    return line(`${name}_bucket`, { ...labels, le: bound === undefined ? '+Inf' : String(bound) }, total)
  })
  return [...buckets, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, total)]
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapedLabel(text)}"`)
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
}

const escapedHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapedLabel = (text: string): string => escapedHelp(text).replaceAll('"', '\\"')
