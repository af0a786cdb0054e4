/** `troupe sim campaign`: seeds for so many minutes, from where the last one stopped, summed up in two files. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import { interleavings } from '@troupe/sim'
import { parseOptions } from '../options.ts'
import { checkFolderOf, exitCodes, jsonOption, showHelp, textStream, writeJson } from '../output.ts'
import { Progress } from '../progress.ts'
import { type Campaign, describeCampaign, readCampaign, writeCampaign } from './campaign-file.ts'
import { isCheckout } from './mutant-hook.ts'
import { eachOf, openPool, threadCount } from './pool.ts'
import type { SimTask, SimTaskResult } from './worker.ts'

const PATH = 'troupe sim campaign'
const SUMMARY = 'runs new seeds for so many minutes and adds them to what earlier campaigns came to'

/** Of a checkout its own; a published package has no place for it but where it is called. */
const DEFAULT_FILE = isCheckout
  ? fileURLToPath(new URL('../../../../docs/campaign.json', import.meta.url))
  : 'campaign.json'

const options = {
  minutes: { kind: 'number', min: 0.01, default: 30, help: 'how long' },
  seconds: {
    kind: 'number',
    min: 0.1,
    unit: 'virtual s',
    default: 30,
    help: 'length of the phase with faults',
  },
  interleaving: {
    kind: 'choice',
    choices: interleavings,
    default: 'random',
    help: 'how turns of nodes follow each other',
  },
  file: {
    kind: 'text',
    placeholder: 'FILE',
    otherwise: 'docs/campaign.json',
    help: 'where it is summed up; the same for people beside it, in .md',
  },
  json: jsonOption,
} as const satisfies OptionTable

/** Runs `troupe sim campaign ARGS`; resolves with the exit code: 1 where a seed failed. @throws RaftError INVALID_OPTIONS */
export async function campaignCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const parsed = parseOptions(args, options, PATH)
  if (parsed.kind === 'help') return showHelp(context, PATH, SUMMARY, options)
  const { minutes, json, file = DEFAULT_FILE, ...rest } = parsed.values
  const out = textStream(json, context)
  checkFolderOf(file, '--file')
  const before = readCampaign(file)
  const run = new CampaignRun(before, minutes, rest, new Progress(out))
  await run.work(context.signal)
  const after = run.campaign
  writeCampaign(file, after)
  out.write(`${describeCampaign(after)}\n${run.summary()}\n`)
  writeJson(json, after, context)
  if (context.signal.aborted) return exitCodes.interrupted
  return run.failed > 0 ? exitCodes.fail : exitCodes.pass
}

type SeedOptions = Omit<SimTask, 'seed' | 'checkDeterminism'> & { readonly seconds: number }

class CampaignRun {
  failed = 0
  readonly #before: Campaign
  readonly #from: number
  readonly #minutes: number
  readonly #options: SeedOptions
  readonly #progress: Progress
  #seeds = 0
  #events = 0
  #virtualMs = 0
  readonly #failures: Record<string, number> = {}
  readonly #failedSeeds: number[] = []
  readonly #situations: Record<string, number> = {}

  constructor(before: Campaign, minutes: number, seedOptions: SeedOptions, progress: Progress) {
    this.#before = before
    this.#from = before.nextSeed
    this.#minutes = minutes
    this.#options = seedOptions
    this.#progress = progress
  }

  /** Ctrl-C lets the seeds that run come to their end: each takes a second or two. */
  async work(signal: AbortSignal): Promise<void> {
    const pool = openPool(threadCount())
    const tasks = function* (this: CampaignRun): Iterable<SimTask> {
      for (let seed = this.#from; this.#share < 1 && !signal.aborted; seed++) {
        yield { ...this.#options, seed, checkDeterminism: false }
      }
    }
    try {
      await eachOf(tasks.call(this), new AbortController().signal, async (task) => {
        this.#add((await pool.run(task)) as SimTaskResult)
      })
    } finally {
      await pool.destroy()
    }
  }

  get #share(): number {
    return this.#progress.seconds / 60 / this.#minutes
  }

  #add({ seed, events, virtualMs, verdict, failure, situations, reproduce }: SimTaskResult): void {
    this.#seeds++
    this.#events += events
    this.#virtualMs += virtualMs
    for (const [name, count] of Object.entries(situations)) {
      this.#situations[name] = (this.#situations[name] ?? 0) + Math.min(1, count)
    }
    if (verdict === 'fail') {
      const kind = failure?.invariant ?? 'not deterministic'
      this.failed++
      this.#failures[kind] = (this.#failures[kind] ?? 0) + 1
      this.#failedSeeds.push(seed)
      this.#progress.write(`seed ${seed}: ${kind}: ${failure?.message}\n  ${reproduce}\n`)
    }
    const failed = this.failed === 0 ? '' : `, ${this.failed} failed`
    this.#progress.show(Math.min(1, this.#share), `${this.#seeds} seeds${failed}, ${this.#rate()}`)
  }

  #rate(): string {
    const { seconds } = this.#progress
    return `${(this.#seeds / seconds).toFixed(1)} seeds/s, ${Math.round(this.#events / seconds)} events/s`
  }

  summary(): string {
    const hours = (this.#virtualMs / 3_600_000).toFixed(1)
    return `${this.#seeds} seeds, ${hours} virtual hours, ${this.failed} failed (${this.#rate()})`
  }

  /** With what ran now. */
  get campaign(): Campaign {
    const { runs, nextSeed } = this.#before
    if (this.#seeds === 0) return this.#before
    const run = {
      commit: commit(),
      from: this.#from,
      seeds: this.#seeds,
      secondsPerSeed: this.#options.seconds,
      interleaving: this.#options.interleaving ?? 'random',
      events: this.#events,
      virtualHours: Number((this.#virtualMs / 3_600_000).toFixed(2)),
      wallSeconds: Math.round(this.#progress.seconds),
      threads: threadCount(),
      failures: this.#failures,
      failedSeeds: this.#failedSeeds,
      situations: this.#situations,
    }
    return { nextSeed: nextSeed + this.#seeds, runs: [...runs, run] }
  }
}

/** Of the sources that ran; with a mark where they were not what is committed. */
function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: fileURLToPath(new URL('.', import.meta.url)), encoding: 'utf8' }).trim()
  try {
    const changed = git('status', '--porcelain', '--', '../../../../packages') === '' ? '' : ' and changes'
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed}`
  } catch {
    return 'unknown'
  }
}
