/** Plays recordings, one after the other, or, where lines are wanted, all at once in the order of their times. */
import { loadMachine } from '@troupe/cluster/load-machine'
import { type Difference, describeTurn, Replay } from '@troupe/sim'
import type { RecordedBirth, RecordedTurn } from '@troupe/wire'
import { describeNodeAt } from './describe-node.ts'
import { RecordingFile, type RecordingPlace } from './recordings.ts'

export interface PlayTask {
  readonly places: readonly RecordingPlace[]
  /** Play no further than this turn of each. */
  readonly toTurn: number | undefined
  readonly timeline: boolean
}

/** What became of a recording. */
export interface Played extends RecordingPlace {
  readonly turns: number
  /** Of whole records that were read. */
  readonly bytes: number
  /** Spent on playing. */
  readonly seconds: number
  /** Why the recording ends, as it says; undefined where it does not. */
  readonly ended: string | undefined
  readonly isCutOff: boolean
  readonly difference: Difference | undefined
  /** What in the file makes no sense, where it was read so far. */
  readonly damage: { readonly turn: number; readonly offset: number; readonly reason: string } | undefined
  /** Where the node stands behind the last turn that was played. */
  readonly state: readonly string[]
}

/** A turn that was played; its line where lines are wanted. */
interface Step {
  readonly timeMs: number
  readonly line: string
}

/** @throws RaftError INVALID_MACHINE where a state machine is not there that was recorded */
export async function play(task: PlayTask, onLine: (line: string) => void): Promise<readonly Played[]> {
  const playing = await Promise.all(task.places.map((place) => Playing.open(place, task)))
  if (task.timeline) merge(playing, onLine)
  return playing.map((one) => one.toEnd())
}

/** The earliest step of all, again and again. */
function merge(playing: readonly Playing[], onLine: (line: string) => void): void {
  const startMs = Math.min(...playing.map(({ startMs }) => startMs))
  const open = playing.map((one) => ({ one, next: one.step(startMs) }))
  for (;;) {
    let first: (typeof open)[number] | undefined
    for (const each of open)
      if (each.next !== undefined && each.next.timeMs < (first?.next?.timeMs ?? Number.POSITIVE_INFINITY))
        first = each
    if (first?.next === undefined) return
    onLine(first.next.line)
    first.next = first.one.step(startMs)
  }
}

class Playing {
  readonly startMs: number
  readonly #place: RecordingPlace
  readonly #task: PlayTask
  readonly #file: RecordingFile
  readonly #records: ReturnType<RecordingFile['records']>
  readonly #replay: Replay | undefined
  #difference: Difference | undefined
  #seconds = 0
  /** Whether nothing more is in the file. */
  #isAtEnd = false

  private constructor(
    place: RecordingPlace,
    task: PlayTask,
    file: RecordingFile,
    records: ReturnType<RecordingFile['records']>,
    birth: RecordedBirth | undefined,
  ) {
    this.#place = place
    this.#task = task
    this.#file = file
    this.#records = records
    this.#replay = birth && new Replay(birth)
    this.startMs = birth?.timesMs[0] ?? Number.POSITIVE_INFINITY
  }

  static async open(place: RecordingPlace, task: PlayTask): Promise<Playing> {
    const file = new RecordingFile(place.path)
    const records = file.records()
    const first = records.next().value
    const birth = first?.kind === 'birth' ? first : undefined
    const playing = new Playing(place, task, file, records, birth)
    if (birth !== undefined)
      playing.#difference = playing.#replay?.begin(await loadMachine(birth.settings.machine))
    return playing
  }

  /** The next turn; undefined where there is none that can be played. */
  step(startMs: number): Step | undefined {
    const turn = this.#next()
    if (turn === undefined) return undefined
    const { node } = this.#place
    const line = describeTurn(node, this.#replay?.turns ?? 0, turn, startMs)
    return { timeMs: turn.timesMs[0] ?? startMs, line }
  }

  /** The next turn, which was the same. */
  #next(): RecordedTurn | undefined {
    const replay = this.#replay
    if (replay === undefined || this.#difference !== undefined) return undefined
    if (replay.turns >= (this.#task.toTurn ?? Number.POSITIVE_INFINITY)) return undefined
    const record = this.#records.next().value
    if (record === undefined) {
      this.#isAtEnd = true
      return undefined
    }
    this.#difference = replay.play(record)
    if (record.kind !== 'turn') return this.#next()
    return this.#difference === undefined ? record : undefined
  }

  toEnd(): Played {
    const beganMs = performance.now()
    while (this.#next() !== undefined);
    this.#seconds += (performance.now() - beganMs) / 1000
    const { damage, isCutOff, bytesRead: bytes } = this.#file
    const turns = this.#replay?.turns ?? 0
    return {
      ...this.#place,
      turns,
      bytes,
      seconds: this.#seconds,
      ended: this.#replay?.ended,
      isCutOff: isCutOff && this.#isAtEnd,
      difference: this.#difference,
      damage: damage && { turn: turns + 1, ...damage },
      state: this.#replay?.driver === undefined ? [] : describeNodeAt(this.#replay.driver),
    }
  }
}
