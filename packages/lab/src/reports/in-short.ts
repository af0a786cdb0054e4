/** A run in a few sentences: what somebody would say who has watched it. */
import type { CaseRun } from '../engine.ts'
import type { FigureName } from '../figures.ts'
import type { Story } from './story.ts'
import { counted, listed, percent, shortFault, time } from './words.ts'

/** How it ended, for the top of the page. */
export function verdictSentence({ verdict, failure, reason, elapsedMs }: CaseRun): string {
  if (verdict === 'fail' && failure !== undefined)
    return `${failure.invariant} does not hold, at ${time(failure.atMs)}: ${failure.message}`
  if (verdict === 'unknown') return `This run shows nothing: ${reason ?? 'nobody knows why'}.`
  return `Everything that was checked held for ${time(elapsedMs)}, and the cluster found together again.`
}

export function inShort(story: Story, run: CaseRun): readonly string[] {
  return [
    faultSentence(story),
    leaderSentence(story, run),
    clientSentence(run),
    logSentence(story),
    healSentence(run),
  ].filter((sentence) => sentence !== '')
}

const one = ({ figures }: CaseRun, name: FigureName): number | undefined => figures[name]?.[0]

function faultSentence({ faults, phases, endMs }: Story): string {
  const { during, after = endMs } = phases
  if (during === undefined || faults.length === 0) return 'Nothing was done to the cluster.'
  const kinds = [...Map.groupBy(faults, (fault) => shortFault(fault))]
    .sort(([, left], [, right]) => right.length - left.length)
    .map(([what, group]) => (group.length > 1 ? `${what} (${group.length} times)` : what))
  return `${counted(faults.length, 'fault')} within ${time(after - during)}: ${listed(kinds)}.`
}

function leaderSentence({ elections, phases, endMs }: Story, run: CaseRun): string {
  const { during = endMs, after = endMs } = phases
  const elected = elections.filter(({ electedMs }) => electedMs !== undefined)
  const [first] = elected
  const meanwhile = elected.filter(({ electedMs = 0 }) => electedMs >= during && electedMs < after)
  const start =
    first === undefined ? 'Nobody was ever elected' : `${first.leader} led first, in term ${first.term}`
  const changes =
    meanwhile.length === 0
      ? 'leadership did not change under the faults'
      : `${counted(meanwhile.length, 'leader was', 'leaders were')} elected under the faults${slowest(run, 'timeToLeaderMsDuring', meanwhile.length > 1)}`
  const split = one(run, 'splitVotes') ?? 0
  return `${start}; ${changes}${split > 0 ? `, and ${counted(split, 'vote')} split` : ''}.`
}

function slowest({ figures }: CaseRun, name: FigureName, isMany: boolean): string {
  const values = figures[name] ?? []
  if (values.length === 0) return ''
  return `, ${isMany ? 'the slowest ' : ''}${time(Math.max(...values))} after the one before was lost`
}

function clientSentence(run: CaseRun): string {
  const gap = one(run, 'longestGapMs')
  const [before, during] = [one(run, 'failureRateBefore'), one(run, 'failureRateDuring')]
  const rate =
    during === undefined
      ? ''
      : `${percent(during)} of what clients asked meanwhile failed (${percent(before ?? 0)} before)`
  const wait = gap === undefined || gap === 0 ? '' : `the longest time without a commit was ${time(gap)}`
  const both = [rate, wait].filter((part) => part !== '').join('; ')
  return both === '' ? '' : `${both[0]?.toUpperCase()}${both.slice(1)}.`
}

function logSentence({ cuts }: Story): string {
  if (cuts.length === 0) return ''
  const entries = cuts.reduce((sum, cut) => sum + cut.entries, 0)
  const nodes = new Set(cuts.map(({ node }) => node))
  return `${counted(entries, 'entry', 'entries')} that were never committed were overwritten in the logs of ${listed([...nodes], 5)}.`
}

function healSentence(run: CaseRun): string {
  const [commit, all] = [one(run, 'healToCommitMs'), one(run, 'healToReplicatedMs')]
  if (commit === undefined) return ''
  const rest =
    all === undefined ? '; not all members had it by the end' : `, and all members had it after ${time(all)}`
  return `After the healing the first commit took ${time(commit)}${rest}.`
}
