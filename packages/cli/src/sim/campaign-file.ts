/** What campaigns came to: a file for the next one, and the same for people. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { invalidOption } from '@troupe/core'
import { aligned, markdownTable } from '../output.ts'

/** One call of the command. */
export interface CampaignRecord {
  /** Of the sources that ran. */
  readonly commit: string
  readonly from: number
  readonly seeds: number
  readonly secondsPerSeed: number
  readonly interleaving: string
  readonly events: number
  readonly virtualHours: number
  readonly wallSeconds: number
  readonly threads: number
  /** By what failed. */
  readonly failures: Readonly<Record<string, number>>
  readonly failedSeeds: readonly number[]
  /** Seeds that reached each of them. */
  readonly situations: Readonly<Record<string, number>>
}

export interface Campaign {
  /** Where the next one goes on. */
  readonly nextSeed: number
  readonly runs: readonly CampaignRecord[]
}

/** What is in `file`; nothing yet where there is none. @throws RaftError INVALID_OPTIONS where it is something else */
export function readCampaign(file: string): Campaign {
  if (!existsSync(file)) return { nextSeed: 1, runs: [] }
  let campaign: Partial<Campaign> | null
  try {
    campaign = JSON.parse(readFileSync(file, 'utf8')) as Partial<Campaign> | null
  } catch {
    campaign = null
  }
  if (!Number.isSafeInteger(campaign?.nextSeed) || !Array.isArray(campaign?.runs)) {
    throw invalidOption('--file', file, 'a file that an earlier campaign wrote, or none')
  }
  return campaign as Campaign
}

/** Writes `file`, and the same for people beside it. */
export function writeCampaign(file: string, campaign: Campaign): void {
  writeFileSync(file, `${JSON.stringify(campaign, undefined, 2)}\n`)
  writeFileSync(`${file.replace(/\.json$/, '')}.md`, document(campaign))
}

/** For a terminal. */
export function describeCampaign(campaign: Campaign): string {
  return `${aligned(runRows(campaign))}\n${aligned(situationRows(campaign))}${neverLine(campaign)}`
}

function document(campaign: Campaign): string {
  return [
    '# What campaigns of the simulator came to',
    '',
    'Written by `pnpm troupe sim campaign`: each call runs new seeds and adds a line. Every invariant is checked after every',
    'event, every history for linearizability.',
    '',
    markdownTable(runRows(campaign)),
    '',
    '## Dangerous places, and how many seeds reached them',
    '',
    markdownTable(situationRows(campaign)),
    '',
    neverLine(campaign),
  ].join('\n')
}

function runRows({ runs }: Campaign): string[][] {
  const heads = [
    'commit',
    'seeds',
    'each, virtual s',
    'turns by',
    'events',
    'virtual hours',
    'seeds/s',
    'failed',
  ]
  const row = (run: Omit<CampaignRecord, 'from' | 'threads' | 'failedSeeds' | 'situations'>): string[] => [
    run.commit,
    `${run.seeds}`,
    run.secondsPerSeed === 0 ? '' : `${run.secondsPerSeed}`,
    run.interleaving,
    run.events.toLocaleString('en-US'),
    run.virtualHours.toFixed(1),
    (run.seeds / Math.max(1, run.wallSeconds)).toFixed(2),
    failuresOf(run.failures),
  ]
  return [heads, ...runs.map(row), row(total(runs))]
}

function total(
  runs: readonly CampaignRecord[],
): Omit<CampaignRecord, 'from' | 'threads' | 'failedSeeds' | 'situations'> {
  const sum = (of: (run: CampaignRecord) => number): number => runs.reduce((so, run) => so + of(run), 0)
  return {
    commit: 'together',
    interleaving: '',
    secondsPerSeed: 0,
    seeds: sum(({ seeds }) => seeds),
    events: sum(({ events }) => events),
    virtualHours: sum(({ virtualHours }) => virtualHours),
    wallSeconds: sum(({ wallSeconds }) => wallSeconds),
    failures: summed(runs.map(({ failures }) => failures)),
  }
}

function summed(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [name, count] of records.flatMap((record) => Object.entries(record))) {
    sums[name] = (sums[name] ?? 0) + count
  }
  return sums
}

function failuresOf(failures: Readonly<Record<string, number>>): string {
  const kinds = Object.entries(failures).map(([kind, count]) => `${kind} ${count}`)
  return kinds.length === 0 ? '0' : kinds.join(', ')
}

function situationRows({ runs }: Campaign): string[][] {
  const seeds = runs.reduce((so, run) => so + run.seeds, 0)
  const counts = Object.entries(summed(runs.map(({ situations }) => situations)))
  const share = (count: number): string => `${((100 * count) / Math.max(1, seeds)).toFixed(1)} %`
  return [
    ['situation', 'seeds', 'share'],
    ...counts
      .sort(([, left], [, right]) => right - left)
      .map(([name, count]) => [name, `${count}`, share(count)]),
  ]
}

function neverLine({ runs }: Campaign): string {
  const never = Object.entries(summed(runs.map(({ situations }) => situations))).filter(
    ([, count]) => count === 0,
  )
  return never.length === 0 ? 'None was missed.\n' : `Never: ${never.map(([name]) => name).join('; ')}.\n`
}
