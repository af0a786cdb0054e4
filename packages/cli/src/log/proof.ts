/**
 * The proof that nothing acknowledged is lost: a writer is killed, its log is looked at as it was left, the next writer
 * opens it, says what it finds and goes on with it until it is killed in its turn.
 *
 *     writer ──► killed ──► lookAtLog, without LMDB ──► the next writer opens it: FOUND ──► killed ──► ...
 *                             └ compared with what was acknowledged ┘└ and again
 *
 * What killing proves: that a step is whole or not there, and that what is acknowledged has left the process. What was
 * not flushed outlives a kill all the same: for that the calls are traced (`trace-order.ts`).
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RaftError, type Random, seededRandom } from '@troupe/core'
import {
  type Comparison,
  compareLogs,
  type EntryMark,
  LogModel,
  lookAtLog,
  type Step,
} from './prove-model.ts'
import type { WriterTask } from './prove-writer.ts'
import { type KillPlan, runWriter, type WriterStory } from './writer-process.ts'

export interface ProofOptions {
  /** A directory of its own. */
  readonly path: string
  readonly durability: WriterTask['durability']
  readonly kills: number
  readonly seed: number
  readonly signal: AbortSignal
  /** Told after each kill. */
  readonly onKill: (counts: ProofCounts) => void
}

type Moment = Exclude<KillPlan['moment'], 'never'>

export interface ProofCounts {
  kills: number
  readonly killsBy: Record<Moment, number>
  /** Steps, and what they did. */
  acknowledged: number
  entries: number
  truncations: number
  resets: number
  compactions: number
  hardStates: number
  /** Steps that were found although they had not been acknowledged yet. */
  foundUnacknowledged: number
  /** Kills after which term or vote was that of a later step than the entries: nobody was told of it. */
  hardStateAhead: number
}

/** Why it does not hold. */
export interface Finding {
  readonly kind: Exclude<Comparison['kind'], 'sound'>
  readonly afterKill: number
  readonly reason: string
}

export interface ProofResult {
  readonly counts: ProofCounts
  readonly finding: Finding | undefined
  /** Why nothing can be said, as a disk that is full. */
  readonly undecided: string | undefined
}

const LIFE_MS = 400
const OPENING_MS = 8
/** Two of a slow disk's commits. */
const COMMIT_MS = 3

/** Kills as often as asked, or until something is found. Resolves soon after `signal` aborts. */
export async function prove(options: ProofOptions): Promise<ProofResult> {
  const proof = new Proof(options)
  await proof.run()
  const { counts, finding, undecided } = proof
  return { counts, finding, undecided }
}

/** The last ack is as likely to be near as the first: the log grows in between. */
function drawPlan(random: Random): KillPlan {
  const chance = random.next()
  const acks = 1 + Math.floor(random.next() * 40)
  if (chance < 0.1) return { moment: 'opening', delayMs: random.next() * OPENING_MS }
  if (chance < 0.35) return { moment: 'after an ack', acks, delayMs: 0 }
  if (chance < 0.65) return { moment: 'within a commit', acks, delayMs: random.next() * COMMIT_MS }
  return { moment: 'any time', delayMs: random.next() * LIFE_MS }
}

class Proof {
  readonly counts: ProofCounts = {
    kills: 0,
    killsBy: { opening: 0, 'after an ack': 0, 'within a commit': 0, 'any time': 0 },
    acknowledged: 0,
    entries: 0,
    truncations: 0,
    resets: 0,
    compactions: 0,
    hardStates: 0,
    foundUnacknowledged: 0,
    hardStateAhead: 0,
  }
  finding: Finding | undefined
  undecided: string | undefined
  readonly #options: ProofOptions
  readonly #random: Random
  /** As it was after the last step that counts. */
  readonly #log = new LogModel<EntryMark>()

  constructor(options: ProofOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
  }

  async run(): Promise<void> {
    const { kills, onKill } = this.#options
    while (this.counts.kills < kills) {
      await this.#round(drawPlan(this.#random))
      if (this.#isOver) return
      onKill(this.counts)
    }
    await this.#round({ moment: 'never' })
  }

  get #isOver(): boolean {
    return this.#options.signal.aborted || this.finding !== undefined || this.undecided !== undefined
  }

  async #round(plan: KillPlan): Promise<void> {
    const { path, durability, signal } = this.#options
    const isLast = plan.moment === 'never'
    const seed = Math.floor(this.#random.next() * 2 ** 32)
    const outstanding = 1 + Math.floor(this.#random.next() * 6)
    const limit = isLast ? 0 : Number.MAX_SAFE_INTEGER
    const task = { path, durability, seed, outstanding, limit, isPlain: false }
    const story = await runWriter(task, plan, signal)
    if (signal.aborted) return
    this.#judgeStory(story)
    if (this.#isOver) return
    if (plan.moment !== 'never') {
      this.counts.kills += 1
      this.counts.killsBy[plan.moment] += 1
    }
    this.#judgeLog(story)
  }

  /** What it found when it opened the log, and how it ended. */
  #judgeStory({ found, failure, complaints, death, acknowledged, steps }: WriterStory): void {
    if (found !== undefined) this.#judge(compareLogs(found, this.#log, []), 'opened again, ')
    if (this.finding !== undefined) return
    if (failure !== undefined && found !== undefined) this.undecided = failure
    else if (failure !== undefined) this.#found('damaged', `it cannot be opened: ${failure}`)
    else if (death?.startsWith('SIG')) this.#found('damaged', `a process that opened it died of ${death}`)
    else if (death !== undefined) this.undecided = `the writer ended with ${death}: ${lineOf(complaints)}`
    else if (complaints !== '') this.#found('damaged', `LMDB complains: ${lineOf(complaints)}`)
    if (acknowledged > steps.length) this.#found('half-written', `step ${acknowledged} was never handed over`)
  }

  /** What it left behind. */
  #judgeLog({ steps, acknowledged }: WriterStory): void {
    for (const step of steps.slice(0, acknowledged)) {
      this.#log.apply(step)
      this.#count(step)
    }
    const pending = steps.slice(acknowledged)
    this.#judge(lookedAt(join(this.#options.path, '0'), this.#log, pending), '')
    if (this.finding !== undefined) this.#keep(pending)
  }

  /** What should be there, beside what is: nobody can draw the same kill again. */
  #keep(pending: readonly Step[]): void {
    const { base, hardState, writtenHardState, entries } = this.#log
    const acknowledged = { base, hardState, writtenHardState, entries }
    const expected = { finding: this.finding, acknowledged, pending }
    writeFileSync(join(this.#options.path, 'expected.json'), `${JSON.stringify(expected)}\n`)
  }

  #count({ entries, truncateFrom, reset, compactTo, hardState }: Step): void {
    const { counts } = this
    counts.acknowledged += 1
    counts.entries += entries.length
    counts.truncations += Number(truncateFrom !== undefined)
    counts.resets += Number(reset !== undefined)
    counts.compactions += Number(compactTo !== undefined)
    counts.hardStates += Number(hardState !== undefined)
  }

  #judge(comparison: Comparison, when: string): void {
    if (comparison.kind !== 'sound') return this.#found(comparison.kind, when + comparison.reason)
    this.counts.foundUnacknowledged += comparison.steps
    this.counts.hardStateAhead += Number(comparison.isHardStateAhead)
  }

  #found(kind: Finding['kind'], reason: string): void {
    this.finding ??= { kind, reason, afterKill: this.counts.kills }
  }
}

/** {@link compareLogs} with what stands in a directory. */
export function lookedAt(path: string, log: LogModel<EntryMark>, pending: readonly Step[]): Comparison {
  try {
    return compareLogs(lookAtLog(path), log, pending)
  } catch (error) {
    if (!RaftError.is(error, 'STORAGE_DAMAGED')) throw error
    return { kind: 'damaged', reason: error.message }
  }
}

/** The line that says most. */
function lineOf(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return (lines.find((line) => /error/i.test(line)) ?? lines[0] ?? 'without a word').trim()
}
