/**
 * `pnpm test`: finds and runs all tests, and ends with one line: `N passed, N failed`.
 *
 *     pnpm test                      everything
 *     pnpm test raft-core store/     files whose path contains one of these
 *     pnpm test 'steps down'         an argument that is in no path selects tests by name
 *     pnpm test --full               with the full-size tests (TROUPE_FULL=1)
 *
 * Tests of packages run in parallel, as many files as there are cores; those that have nothing which one could leave to the
 * next, some in each process: most are done sooner than a process starts. Of whole-system tests (under test/),
 * which start threads and processes of their own, at most two files run at a time, at most one of them with processes that take
 * ports which it found free, and those that are about a machine at rest run alone, last. Counted are tests, not suites or files;
 * a file that crashes counts as a failed test.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { type EventData, run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { isOfFile, TIMED_OUT, testTimeoutMs, Watch } from './tools/watch.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const patterns = [
  'packages/*/src/**/*.test.ts',
  'packages/*/test/**/*.test.ts',
  'benchmarks/src/**/*.test.ts',
  'test/**/*.test.ts',
]

/** What is counted, and what the last lines say of it. */
const totals = { passed: 0, failed: 0, skipped: 0, failures: [] as string[] }

type SpecReporter = InstanceType<typeof spec>
type Result = EventData.TestPass | EventData.TestFail

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const unknown = args.find((arg) => arg.startsWith('-') && arg !== '--full' && arg !== '--')
  if (unknown !== undefined) {
    process.stderr.write(`test: unknown flag ${unknown}; expected --full, or parts of file or test names\n`)
    process.exitCode = 64
    return
  }
  if (args.includes('--full')) process.env.TROUPE_FULL = '1'
  // Inherited by the test processes: LMDB flushes on this pool.
  process.env.UV_THREADPOOL_SIZE ??= '16'
  // Every worker of every test strips the types of the same files: once is enough.
  process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/compile')
  const shortResolve = new URL('tools/short-resolve.js', import.meta.url).href
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${shortResolve}`.trim()

  const { files, names } = await select(args.filter((arg) => !arg.startsWith('-')))
  const reporter = new spec()
  reporter.pipe(process.stdout, { end: false })
  const lane = (ofLane: Iterator<Job>): Promise<void> => runLane(ofLane, names, reporter)
  const { units, whole, onPorts, alone } = sorted(files)
  const more = Array.from({ length: Math.max(0, availableParallelism() - 2) }, () => lane(units))
  // Whoever is done with packages first waits for nobody.
  const lanes = [lane(units).then(() => lane(onPorts)), lane(units)]
  await Promise.all([...more, ...lanes.map((each) => each.then(() => lane(whole)))])
  await lane(alone)
  reporter.end()
  await once(reporter, 'end')
  report()
}

/** What is about a machine at rest: nothing happens that nobody asked for. */
const AT_REST = /^test\/(calm|stalls)\./
/** Who starts processes: they listen where a port was free a moment ago. Some commands start threads alone. */
const STARTS_PROCESSES = /\.\/(node-processes|troupe-command)\.ts'/
const ON_THREADS = /^test\/(backup|lab-threads|log-cli|queue-faults|scenarios|sim-cli|soak)\./

/** Pure, or as good as that, and short: a simulator's test that blocks for long would hold up what the others tell. */
const SHARE_A_PROCESS = /^packages\/(check|core|faults|machines|page|wire)\//
/** Of these, whoever leaves nothing to the next: their processes take longer to load their modules than to run. */
const MAY_SHARE_A_PROCESS = /^(benchmarks|packages\/(cli|cluster|lab|queue|transport))\//
/** Hooks of a file would be those of all; threads, processes and ports outlive a test that fails; and what a process has one of. */
const NEEDS_A_PROCESS = new RegExp(
  [
    /^(after|before)(Each)?\(/,
    /\b(Cluster|Client|Worker|Piscina|ProcessCluster|NodeProcess|ThreadsEngine|TcpEngine)\b/,
    /\b(spawn|fork|createServer|listen|mock|setTimeout|runCli|troupe)\(/,
    /\bprocess\.(env(?!\.TROUPE_FULL)|on|once|exit|chdir|stdout)\b/,
    /'node:(child_process|cluster|http|inspector|net|tls|worker_threads)'/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'm',
)
const FILES_A_PROCESS = 12

/** Files that run in one process. */
type Job = readonly string[]

/** Queues that several lanes may take from. */
function sorted(files: readonly string[]): Record<'units' | 'whole' | 'onPorts' | 'alone', Iterator<Job>> {
  const kindOf = (file: string): string => {
    if (SHARE_A_PROCESS.test(file)) return 'pure'
    const text = readFileSync(join(root, file), 'utf8')
    if (MAY_SHARE_A_PROCESS.test(file)) return NEEDS_A_PROCESS.test(text) ? 'units' : 'sharing'
    if (!file.startsWith('test/')) return 'units'
    if (AT_REST.test(file)) return 'alone'
    if (ON_THREADS.test(file)) return 'whole'
    return STARTS_PROCESSES.test(text) ? 'onPorts' : 'whole'
  }
  const byKind = Object.groupBy(files, kindOf)
  const { pure = [], sharing = [], units = [], whole = [], onPorts = [], alone = [] } = byKind
  const each = (ofKind: readonly string[]): Job[] => ofKind.map((file) => [file])
  return {
    units: [...shared(pure), ...shared(sharing), ...each(units)].values(),
    whole: each(whole).values(),
    onPorts: each(onPorts).values(),
    alone: each(alone).values(),
  }
}

function shared(files: readonly string[]): Job[] {
  const jobs: Job[] = []
  for (let at = 0; at < files.length; at += FILES_A_PROCESS) jobs.push(files.slice(at, at + FILES_A_PROCESS))
  return jobs
}

/** One job after the other, each shown as a whole when it is done. */
async function runLane(queue: Iterator<Job>, names: RegExp[], reporter: SpecReporter): Promise<void> {
  for (let next = queue.next(); next.done !== true; next = queue.next()) {
    const events = await Array.fromAsync(eventsOf(next.value, names))
    for (const event of events) await write(reporter, event)
  }
}

async function write(reporter: SpecReporter, event: TestEvent): Promise<void> {
  if (!reporter.write(event)) await once(reporter, 'drain')
}

/** Splits the arguments into test files and test names. */
async function select(args: readonly string[]): Promise<{ files: string[]; names: RegExp[] }> {
  const files: string[] = []
  for await (const file of glob(patterns, { cwd: root, exclude: (path) => path.endsWith('node_modules') })) {
    files.push(file.split(sep).join('/'))
  }
  files.sort()
  const inPath = args.filter((arg) => files.some((file) => file.includes(arg)))
  const names = args.filter((arg) => !inPath.includes(arg)).map((arg) => new RegExp(escapeRegExp(arg), 'i'))
  const chosen = files.filter((file) => inPath.length === 0 || inPath.some((part) => file.includes(part)))
  return { files: chosen, names }
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

const SHARED_PROCESS = 'test/tools/shared-process.ts'

/** Runs the files of a job in a process of their own and counts their tests. Yields what the reporter shows. */
async function* eventsOf(job: Job, names: RegExp[]): AsyncGenerator<TestEvent> {
  const watch = new Watch()
  const filter = names.length > 0 ? { testNamePatterns: names } : {}
  const file = job.join(', ')
  const entry = job.length === 1 ? { files: [...job] } : { files: [SHARED_PROCESS], argv: job }
  const withTests = new Set<string | undefined>()
  let hasEnded = false
  // Of a process: that it died, or holds no test at all.
  let isReported = false
  const stream = run({ ...entry, cwd: root, timeout: testTimeoutMs(), signal: watch.signal, ...filter })
  for await (const event of stream as AsyncIterable<TestEvent>) {
    watch.see(event)
    if (event.type === 'test:pass' || event.type === 'test:fail') {
      const isFile = isOfFile(event.data)
      if (isFile) hasEnded = isReported = true
      if (isFile && watch.signal.aborted) continue
      if (isFile) countFile(file, event.data, names.length > 0)
      else count(event.data)
      withTests.add(event.data.file)
      if (isFile && event.type === 'test:pass') continue
    }
    if (event.type === 'test:summary' && event.data.file !== undefined) hasEnded = true
    // Node's own totals would stand after each file; ours stand at the end.
    if (event.type !== 'test:diagnostic' && event.type !== 'test:summary') yield event
  }
  watch.end()
  if (watch.reason !== undefined) fail(file, undefined, watch.reason)
  // A file reports a summary when it is done: without one it left in the middle, whatever its exit code.
  else if (!hasEnded && !watch.signal.aborted)
    fail(file, undefined, 'the test process ended before its tests did')
  else if (job.length > 1 && names.length === 0 && !isReported) failWithoutTests(job, withTests)
}

/** Of a process that several files share nobody else tells which of them holds no test. */
function failWithoutTests(job: Job, withTests: ReadonlySet<string | undefined>): void {
  for (const file of job) if (!withTests.has(join(root, file))) fail(file, undefined, 'no test in this file')
}

/** With process isolation a file is a test itself, reported where it holds no test or dies. */
function countFile(file: string, data: Result, isFiltered: boolean): void {
  const error = errorOf(data)
  if (error !== undefined) fail(file, undefined, endOf(error))
  else if (!isFiltered) fail(file, undefined, 'no test in this file')
}

function count(data: Result): void {
  const isSuite = data.details.type === 'suite'
  const error = errorOf(data)
  if (data.skip !== undefined || data.todo !== undefined) totals.skipped++
  else if (error === undefined) totals.passed += isSuite ? 0 : 1
  // A suite fails with its tests, which are counted; on its own it fails only in a hook or in its body.
  else if (!isSuite || error.failureType !== 'subtestsFailed') {
    fail(`${data.file}:${data.line}`, data.name, reasonOf(error))
  }
}

/** What node:test puts into its errors beside the cause. */
interface TestError extends Error {
  readonly failureType?: string
  readonly exitCode?: number | null
  readonly signal?: string | null
}

function errorOf(data: Result): TestError | undefined {
  return 'error' in data.details ? data.details.error : undefined
}

function reasonOf({ cause, message, failureType }: TestError): string {
  if (failureType === TIMED_OUT) return `${message}; the rest of the file was not run`
  return cause instanceof Error ? cause.message : String(cause ?? message)
}

function endOf(error: TestError): string {
  if (error.signal) return `the test process died of ${error.signal}`
  if (error.exitCode) return `the test process ended with exit code ${error.exitCode}`
  return reasonOf(error)
}

function fail(place: string, name: string | undefined, message: string): void {
  totals.failed++
  const where = relative(root, resolve(root, place))
  const reason = message.split('\n', 1)[0] ?? ''
  totals.failures.push([where, name, reason].filter((part) => part).join('  '))
}

function report(): void {
  const { passed, failed, skipped, failures } = totals
  if (failures.length > 0)
    process.stdout.write(`\nfailed:\n${failures.map((line) => `  ${line}\n`).join('')}`)
  if (passed + failed === 0) process.stdout.write('\nno test matches\n')
  if (skipped > 0) process.stdout.write(`\n${skipped} skipped\n`)
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}

await main()
