/** What a queue is doing: as an object, and as text for Prometheus. */
import type { GroupStats, QueueStats } from '@troupe/machines'

const COUNTERS = [
  'delivered',
  'redelivered',
  'acked',
  'failed',
  'lost',
  'died',
  'expired',
  'removed',
] as const satisfies readonly (keyof GroupStats)[]
type Counter = (typeof COUNTERS)[number]

export interface GroupReport extends GroupStats {
  /** How long the ready message that was sent first has been there; undefined where there is none. */
  readonly oldestAgeMs: number | undefined
  /** A second, since the call of `stats` before, by log time; undefined where there is none, or no time has passed. */
  readonly rates: Readonly<Record<Counter, number>> | undefined
}

export interface QueueReport extends QueueStats {
  readonly groups: readonly GroupReport[]
  /** Messages sent a second, as the rates of groups. */
  readonly sentRate: number | undefined
}

/** @param before what the rates are told from */
export function reportOf(stats: QueueStats, before: QueueStats | undefined): QueueReport {
  const seconds = before === undefined ? 0 : (stats.nowMs - before.nowMs) / 1000
  const sentRate = seconds > 0 ? (stats.sent - (before as QueueStats).sent) / seconds : undefined
  const groups = stats.groups.map((group) => {
    const earlier = before?.groups.find((each) => each.group === group.group)
    return {
      ...group,
      oldestAgeMs: group.oldestMs === undefined ? undefined : stats.nowMs - group.oldestMs,
      rates: seconds > 0 && earlier !== undefined ? ratesOf(group, earlier, seconds) : undefined,
    }
  })
  return { ...stats, sentRate, groups }
}

function ratesOf(now: GroupStats, before: GroupStats, seconds: number): Readonly<Record<Counter, number>> {
  const rates = COUNTERS.map((counter) => [counter, (now[counter] - before[counter]) / seconds])
  return Object.fromEntries(rates) as Record<Counter, number>
}

// ---- Prometheus

/** Its name after OpenTelemetry's conventions for messaging, where they have one, and its help. */
interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
}

const SENT: Metric = {
  name: 'messaging_client_sent_messages_total',
  type: 'counter',
  help: 'Messages that were sent and taken.',
}
const DUPLICATES: Metric = {
  name: 'messaging_queue_duplicates_total',
  type: 'counter',
  help: 'Messages that an earlier one of the same id stood for.',
}
const CONSUMED: Metric = {
  name: 'messaging_client_consumed_messages_total',
  type: 'counter',
  help: 'Messages that were delivered, each delivery counted.',
}
const OUTCOMES: Metric = {
  name: 'messaging_queue_outcomes_total',
  type: 'counter',
  help: 'What became of messages and of their deliveries.',
}
const DEPTH: Metric = {
  name: 'messaging_queue_depth_messages',
  type: 'gauge',
  help: 'Messages that are there, by what they are doing.',
}
const AGE: Metric = {
  name: 'messaging_queue_oldest_age_seconds',
  type: 'gauge',
  help: 'How long the ready message that was sent first has been there.',
}
const CONSUMERS: Metric = { name: 'messaging_queue_consumers', type: 'gauge', help: 'Consumers.' }
const BYTES: Metric = { name: 'messaging_queue_depth_bytes', type: 'gauge', help: 'Bytes of messages.' }
const PAUSED: Metric = { name: 'messaging_queue_paused', type: 'gauge', help: 'Whether it is paused.' }

const STATES = ['ready', 'delayed', 'lined', 'active', 'dead'] as const
const OUTCOME_COUNTERS = COUNTERS.filter((counter) => counter !== 'delivered')

type Labels = Readonly<Record<string, string>>
type Sample = readonly [metric: Metric, labels: Labels, value: number]

/** The report in Prometheus' text format. */
export function metricsTextOf(queue: string, report: QueueReport): string {
  const own = { messaging_system: 'troupe', messaging_destination_name: queue }
  const samples: Sample[] = [
    [SENT, own, report.sent],
    [DUPLICATES, own, report.duplicates],
    [BYTES, own, report.bytes],
    [PAUSED, own, report.isPaused ? 1 : 0],
    ...report.groups.flatMap((group) =>
      samplesOf({ ...own, messaging_consumer_group_name: group.group }, group),
    ),
  ]
  const metrics = [...new Set(samples.map(([metric]) => metric))]
  return metrics.map((metric) => textOf(metric, samples)).join('')
}

function samplesOf(labels: Labels, group: GroupReport): Sample[] {
  return [
    [CONSUMED, labels, group.delivered],
    ...OUTCOME_COUNTERS.map((outcome): Sample => [OUTCOMES, { ...labels, outcome }, group[outcome]]),
    ...STATES.map((state): Sample => [DEPTH, { ...labels, state }, group[state]]),
    [AGE, labels, (group.oldestAgeMs ?? 0) / 1000],
    [CONSUMERS, labels, group.consumers],
  ]
}

function textOf(metric: Metric, samples: readonly Sample[]): string {
  const { name, type, help } = metric
  const lines = samples
    .filter(([of]) => of === metric)
    .map(([, labels, value]) => `${name}{${Object.entries(labels).map(labelOf).join(',')}} ${value}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

const labelOf = ([name, value]: readonly [string, string]): string =>
  `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
