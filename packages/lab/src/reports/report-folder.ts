/**
 * What `--report DIR` leaves behind: `index.html` for the suite, a page for the first run of each case and for those that do
 * not hold, their event logs, and the results for programs.
 *
 *     DIR/index.html, results.json, junit.xml, runs/NNN-case-SEED.html, .ndjson, .shiviz.log
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readEventLog } from '../events/event-log.ts'
import { shivizOf } from '../events/shiviz.ts'
import type { CaseResult, ShownRun, SuiteResult } from '../run-suite.ts'
import { junitOf } from './junit.ts'
import { type RunFiles, resultsOf } from './results.ts'
import { renderRun } from './run-page.ts'
import { storyOf } from './story.ts'
import { renderSuite } from './suite-page.ts'

const RUNS = 'runs'

/** ShiViz draws in a browser: of longer logs it gets the end. */
const MOST_CLOCKED = 20_000

export class ReportFolder {
  readonly #folder: string
  readonly #command: string

  /** Makes the folder where there is none. @param command what makes the report again */
  constructor(folder: string, command: string) {
    this.#folder = folder
    this.#command = command
    mkdirSync(this.eventLogFolder, { recursive: true })
  }

  /** For runSuite. */
  get eventLogFolder(): string {
    return join(this.#folder, RUNS)
  }

  /** The pages of a case. */
  writeCase(result: CaseResult): void {
    const others = new Map(result.shown.map((one) => [one.run.seed, basename(filesOf(one).page)]))
    for (const shown of result.shown) this.#writeRun(result, shown, others)
  }

  #writeRun(result: CaseResult, shown: ShownRun, others: ReadonlyMap<number, string>): void {
    const { run, eventLog, reproduce } = shown
    const events = readEventLog(eventLog)
    const { page, events: log, shiviz } = filesOf(shown)
    const files = { index: '../index.html', events: basename(log), shiviz: basename(shiviz), others }
    writeFileSync(join(this.#folder, shiviz), shivizOf(events.slice(-MOST_CLOCKED)))
    const text = renderRun({ result, run, story: storyOf(events), reproduce, files })
    writeFileSync(join(this.#folder, page), text)
  }

  writeSuite(suite: SuiteResult): void {
    const pages = (result: CaseResult): ReadonlyMap<number, string> =>
      new Map(result.shown.map((one) => [one.run.seed, filesOf(one).page]))
    const write = (name: string, text: string): void => writeFileSync(join(this.#folder, name), text)
    write('index.html', renderSuite(suite, this.#command, pages))
    const document = resultsOf(suite, this.#command, (_, shown) => filesOf(shown))
    write('results.json', `${JSON.stringify(document, undefined, 2)}\n`)
    write('junit.xml', junitOf(suite))
  }
}

/** By the name of the event log. */
function filesOf({ eventLog }: ShownRun): RunFiles {
  const name = basename(eventLog, '.ndjson')
  return {
    page: `${RUNS}/${name}.html`,
    events: `${RUNS}/${name}.ndjson`,
    shiviz: `${RUNS}/${name}.shiviz.log`,
  }
}
