/**
 * Whether a state machine keeps its contract (machine.ts), as far as running it can show. Authors call it in their tests.
 *
 *     commands ─► the same batches and times, drawn from a seed
 *                   ├─► a first machine ──────────────────────────────► results, digests, answers
 *                   ├─► another: saved and loaded at random places ───► the same?
 *                   ├─► started again over what it kept or left ──────► the same?
 *                   └─► one more: command by command ──────────────────► the same?
 *
 * A machine that looks at a clock, draws, counts in its module, depends on an order that a snapshot does not keep, or leaves
 * something out of one, comes to other results or another digest in one of them. Disk and segments are in memory here: what is checked is the machine.
 */
import { type Checksum, type Random, seededRandom } from '@troupe/core'
import { type Subject, subjectOf } from './conformance-subject.ts'
import {
  type BatchResults,
  type Codec,
  type CommandMeta,
  type MachineDefinition,
  refusalReason,
  type StateMachine,
} from './machine.ts'

export interface ConformanceOptions {
  /** That of the engine: `codec` of `@troupe/wire`. */
  readonly codec: Codec
  /** `crc32` of `@troupe/wire`. */
  readonly checksum: Checksum
  /** As in the options of a cluster. @default {} */
  readonly machineOptions?: Readonly<Record<string, unknown>>
  /** Asked again and again; their answers have to be the same too. @default none */
  readonly queries?: readonly unknown[]
  /** Of batches, times and places. @default 1 */
  readonly seed?: number
  /** How often everything is done, each time cut otherwise. @default 3 */
  readonly rounds?: number
  /** Most log time between two batches, in ms. @default 100 */
  readonly maxStepMs?: number
}

export interface ConformanceReport {
  readonly commandCount: number
  /** Commands that were refused. */
  readonly refusalCount: number
  readonly restoreCount: number
  /** What is wrong, in words; none where nothing was found. */
  readonly faults: readonly string[]
}

/** Commands of one entry, what time it is then, and what is done before them. */
interface Batch {
  readonly from: number
  readonly commands: readonly unknown[]
  readonly payload: Uint8Array
  readonly meta: CommandMeta
  /** Whether log time comes to `meta.timeMs` by an entry of its own first. */
  readonly isTimeFirst: boolean
  readonly restore: 'none' | 'whole' | 'in pieces'
  /** A snapshot in pieces is taken while so many further batches are applied. */
  readonly isLooked: boolean
}

/** What one batch came to, in a form that can be compared. */
interface Trace {
  readonly outcome: string
  readonly digest: string | undefined
  readonly answers: string | undefined
}

const MOST_IN_BATCH = 20
const RESTORES = 0.2
const LOOKS = 0.25
/** A state is compared before and after so many refused commands, as that takes a save each. */
const REFUSALS_LOOKED_AT = 50

/**
 * Runs the machine over `commands` in several ways, and says what differs.
 * @throws RaftError INVALID_MACHINE where the definition does not make a machine, INVALID_OPTIONS for options that it does not take
 */
export function checkStateMachine(
  definition: MachineDefinition,
  commands: readonly unknown[],
  options: ConformanceOptions,
): ConformanceReport {
  const { seed = 1, rounds = 3 } = options
  const check = new Conformance(definition, options)
  for (let round = 0; round < rounds && check.faults.length === 0; round++)
    check.round(commands, seededRandom(seed * 1000 + round))
  return check.report(commands.length)
}

const CHANGED_BY_QUERY = 'a query changes the state'

class Conformance {
  readonly faults: string[] = []
  readonly #definition: MachineDefinition
  readonly #options: ConformanceOptions
  #refusals = 0
  #restores = 0

  constructor(definition: MachineDefinition, options: ConformanceOptions) {
    this.#definition = definition
    this.#options = options
  }

  report(commandCount: number): ConformanceReport {
    const { faults } = this
    return { commandCount, refusalCount: this.#refusals, restoreCount: this.#restores, faults }
  }

  round(commands: readonly unknown[], random: Random): void {
    try {
      this.#round(commands, random)
    } catch (error) {
      // Refusals are caught where commands are run: this is save, load or what goes with them.
      this.faults.push(`it throws while it is saved or loaded: ${error}`)
    }
  }

  #round(commands: readonly unknown[], random: Random): void {
    const batches = this.#cut(commands, random)
    if (this.faults.length > 0) return
    const first = this.#made()
    this.#refusals = 0
    const traces = batches.map((batch) => this.#apply(first, batch))
    this.#lookTwice(first)
    this.#compare('saved and loaded on the way', batches, traces, this.#restoring())
    this.#restart(batches, traces)
    const again = this.#made()
    if (again.applyPayload !== undefined)
      this.#compare('given one command after the other', batches, traces, (batch) =>
        // How commands came may show in its bytes: all replicas are given the same payloads.
        withoutDigest(this.#applyEach(again, batch)),
      )
    this.#lookAtRefusals(batches)
  }

  #made(): StateMachine {
    return this.#subject().machine
  }

  #subject(): Subject {
    const { codec, checksum, machineOptions = {} } = this.#options
    return subjectOf(this.#definition, { codec, checksum, options: machineOptions })
  }

  // ---- what is run

  #cut(commands: readonly unknown[], random: Random): Batch[] {
    const { codec, maxStepMs = 100 } = this.#options
    const batches: Batch[] = []
    let timeMs = 0
    for (let from = 0; from < commands.length; ) {
      const count = 1 + Math.floor(random.next() * MOST_IN_BATCH)
      const payload = codec.encode(commands.slice(from, from + count))
      const decoded = codec.decode(payload) as unknown[]
      timeMs += random.next() * maxStepMs
      const chance = random.next()
      batches.push({
        from,
        commands: decoded,
        payload,
        meta: { index: batches.length + 1, timeMs },
        isTimeFirst: random.next() < 0.3,
        restore: chance >= RESTORES ? 'none' : chance < RESTORES / 2 ? 'whole' : 'in pieces',
        isLooked: random.next() < LOOKS || from + count >= commands.length,
      })
      from += count
    }
    return batches
  }

  #compare(
    how: string,
    batches: readonly Batch[],
    expected: readonly Trace[],
    run: (batch: Batch) => Trace,
  ): void {
    for (const [at, batch] of batches.entries()) {
      const trace = run(batch)
      const what = differenceOf(expected[at] as Trace, trace)
      if (what === undefined) continue
      const { from, commands } = batch
      this.faults.push(
        `${how}, its ${what} differ after commands ${from} to ${from + commands.length - 1}: it is not a function of the commands`,
      )
      return
    }
  }

  #apply(machine: StateMachine, batch: Batch): Trace {
    this.#passTime(machine, batch)
    const { payload, commands, meta } = batch
    if (machine.applyPayload === undefined) return this.#traced(machine, batch, eachOf(machine, batch))
    const outcomes = outcomesOf(() => machine.applyPayload?.(payload, commands.length, meta), commands.length)
    return this.#traced(machine, batch, outcomes)
  }

  #applyEach(machine: StateMachine, batch: Batch): Trace {
    this.#passTime(machine, batch)
    return this.#traced(machine, batch, eachOf(machine, batch))
  }

  #passTime(machine: StateMachine, { isTimeFirst, meta }: Batch): void {
    if (isTimeFirst) machine.passTime?.(meta)
  }

  #traced(machine: StateMachine, { isLooked }: Batch, outcomes: readonly Outcome[]): Trace {
    const { codec } = this.#options
    this.#refusals += outcomes.filter(({ refusal }) => refusal !== undefined).length
    const outcome = hex(codec.encode(outcomes.map(({ result, refusal }) => [result, refusal])))
    if (!isLooked) return { outcome, answers: undefined, digest: undefined }
    const digest = this.#digest(machine.save())
    return { outcome, answers: this.#asked(machine, digest), digest }
  }

  /** The answers to all queries, which must leave the state as it is. */
  #asked(machine: StateMachine, before: string): string {
    const { codec, queries = [] } = this.#options
    const answers = queries.map((query) => answerOf(machine, query))
    if (queries.length > 0 && this.#digest(machine.save()) !== before) this.#found(CHANGED_BY_QUERY)
    return hex(codec.encode(answers))
  }

  #found(fault: string): void {
    if (!this.faults.includes(fault)) this.faults.push(fault)
  }

  /** Length and checksum of the whole. */
  #digest(chunks: Iterable<Uint8Array>): string {
    let bytes = 0
    let checksum = 0
    for (const chunk of chunks) {
      bytes += chunk.byteLength
      checksum = this.#options.checksum(chunk, checksum)
    }
    return `${bytes} bytes, ${checksum.toString(16)}`
  }

  // ---- snapshots

  /** A machine that is given up now and then for one that was loaded from what it saved. */
  #restoring(): (batch: Batch) => Trace {
    let machine = this.#made()
    return (batch) => {
      if (batch.restore === 'none') return this.#apply(machine, batch)
      this.#restores++
      const { beginSave } = machine
      if (batch.restore === 'whole' || beginSave === undefined) {
        machine = this.#restored(machine.save())
        return this.#apply(machine, batch)
      }
      // What is applied while it is saved is not in it: applied again, the loaded one must come to the same.
      const saving = machine.beginSave?.() as Iterator<Uint8Array>
      const before = [saving.next()]
      const first = this.#apply(machine, batch)
      const chunks = before.flatMap(({ done, value }) => (done === true ? [] : [value.slice()]))
      if (before[0]?.done !== true)
        for (let next = saving.next(); next.done !== true; next = saving.next())
          chunks.push(next.value.slice())
      machine = this.#restored(chunks)
      const second = this.#apply(machine, batch)
      return differenceOf(first, second) === undefined ? second : { ...second, digest: 'of another time' }
    }
  }

  /** A new machine from a saved state, whose chunks are cut otherwise. */
  #restored(chunks: Iterable<Uint8Array>): StateMachine {
    const machine = this.#made()
    const cut = cutOtherwise(chunks)
    if (machine.beginLoad === undefined) machine.load(cut)
    else {
      const loader = machine.beginLoad()
      for (const chunk of cut) loader.chunk(chunk)
      loader.end()
    }
    return machine
  }

  /** On the disk the machine of a process that died goes on with what is there, and with nothing else; one that was left at rest too. */
  #restart(batches: readonly Batch[], expected: readonly Trace[]): void {
    let subject = this.#subject()
    const { restarted } = subject
    if (restarted === undefined) return
    this.#compare('started again over its storage', batches, expected, (batch) => {
      if (batch.restore !== 'none') subject = subject.restarted?.() ?? subject
      return this.#apply(subject.machine, batch)
    })
  }

  #lookTwice(machine: StateMachine): void {
    const first = this.#digest(machine.save())
    if (this.#digest(machine.save()) !== first) this.faults.push('save() gives other bytes the second time')
    if (this.#digest(this.#restored(machine.save()).save()) !== first)
      this.faults.push(
        'a loaded state is not saved as it was: something is missing in save(), or its order is',
      )
  }

  /** A refused command leaves the state as it was. */
  #lookAtRefusals(batches: readonly Batch[]): void {
    const machine = this.#made()
    let looked = 0
    for (const { from, commands, meta } of batches)
      for (const [offset, command] of commands.entries()) {
        const isLooked = looked < REFUSALS_LOOKED_AT
        // So that all that falls due by then has happened before.
        machine.passTime?.(meta)
        const before = isLooked ? this.#digest(machine.save()) : undefined
        const { refusal } = outcomeOf(machine, command, meta)
        if (refusal === undefined || before === undefined) continue
        looked++
        if (this.#digest(machine.save()) === before) continue
        this.faults.push(`command ${from + offset} is refused (${refusal}), and has changed the state`)
        return
      }
  }
}

interface Outcome {
  readonly result: unknown
  readonly refusal: string | undefined
}

function outcomeOf(machine: StateMachine, command: unknown, meta: CommandMeta): Outcome {
  try {
    return { result: machine.apply(command, meta), refusal: undefined }
  } catch (error) {
    return { result: undefined, refusal: refusalReason(error) }
  }
}

const eachOf = (machine: StateMachine, { commands, meta }: Batch): Outcome[] =>
  commands.map((command) => outcomeOf(machine, command, meta))

function outcomesOf(run: () => BatchResults | undefined, count: number): Outcome[] {
  let batch: BatchResults
  try {
    batch = run() ?? {}
  } catch (error) {
    const refusal = refusalReason(error)
    return Array.from({ length: count }, () => ({ result: undefined, refusal }))
  }
  const { results, errors = [] } = batch
  const refusals = new Map(errors)
  return Array.from({ length: count }, (_, at) => {
    const refusal = refusals.get(at)
    const result = results === undefined ? undefined : 'from' in results ? results.from + at : results[at]
    return { result: refusal === undefined ? result : undefined, refusal }
  })
}

function answerOf(machine: StateMachine, query: unknown): unknown {
  try {
    const answer = machine.query(query)
    return typeof answer === 'symbol' ? 'not yet' : answer
  } catch (error) {
    return refusalReason(error)
  }
}

function differenceOf(expected: Trace, found: Trace): string | undefined {
  if (found.outcome !== expected.outcome) return 'results'
  if (found.answers !== expected.answers) return 'answers'
  const isSame = found.digest === undefined || found.digest === expected.digest
  return isSame ? undefined : 'states'
}

const withoutDigest = (trace: Trace): Trace => ({ ...trace, digest: undefined })

/** Halves of chunks, the second of each with the first of the next. */
function* cutOtherwise(chunks: Iterable<Uint8Array>): Iterable<Uint8Array> {
  let rest = new Uint8Array(0)
  for (const chunk of chunks) {
    const half = chunk.byteLength >> 1
    const joined = new Uint8Array(rest.byteLength + half)
    joined.set(rest)
    joined.set(chunk.subarray(0, half), rest.byteLength)
    if (joined.byteLength > 0) yield joined
    rest = chunk.slice(half)
  }
  if (rest.byteLength > 0) yield rest
}

const hex = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}
