/** Virtual time: what is to happen, in the order of its time and, within one time, of its being scheduled. */

/** Something that happens at its time. Objects may be scheduled again and again. */
export interface Task {
  run(): void
}

/** A binary heap over parallel arrays: nothing is allocated for an event but the task itself. */
export class Scheduler {
  /** Virtual milliseconds since the world began. */
  nowMs = 0
  /** Tasks run so far. */
  steps = 0
  readonly #times: number[] = []
  readonly #sequences: number[] = []
  readonly #tasks: Task[] = []
  #lastSequence = 0

  /** Tasks that wait. */
  get size(): number {
    return this.#tasks.length
  }

  /** Time of the next task; Infinity where none waits. */
  get nextMs(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY
  }

  /** Schedules `task` in `delayMs` from now; what lies in the past happens now. */
  after(delayMs: number, task: Task): void {
    this.at(this.nowMs + delayMs, task)
  }

  /** Schedules `task` at a time; what lies in the past happens now. */
  at(timeMs: number, task: Task): void {
    const atMs = Math.max(timeMs, this.nowMs)
    this.#tasks.push(task)
    this.#times.push(atMs)
    this.#sequences.push(++this.#lastSequence)
    this.#up(this.#tasks.length - 1)
  }

  /** Lets time pass up to the next task and runs it. False where none waits. */
  step(): boolean {
    const task = this.#tasks[0]
    if (task === undefined) return false
    this.nowMs = this.#times[0] as number
    this.#removeFirst()
    this.steps++
    task.run()
    return true
  }

  #removeFirst(): void {
    const last = this.#tasks.length - 1
    this.#move(last, 0)
    this.#tasks.pop()
    this.#times.pop()
    this.#sequences.pop()
    if (last > 1) this.#down(0)
  }

  #up(start: number): void {
    let at = start
    const time = this.#times[at] as number
    const sequence = this.#sequences[at] as number
    const task = this.#tasks[at] as Task
    while (at > 0) {
      const parent = (at - 1) >> 1
      const parentTime = this.#times[parent] as number
      // What is new has the highest sequence: it goes up only where it is earlier.
      if (parentTime <= time) break
      this.#move(parent, at)
      at = parent
    }
    this.#put(at, time, sequence, task)
  }

  #down(start: number): void {
    let at = start
    const size = this.#tasks.length
    const time = this.#times[at] as number
    const sequence = this.#sequences[at] as number
    const task = this.#tasks[at] as Task
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && this.#isBefore(child + 1, child)) child++
      const childTime = this.#times[child] as number
      if (childTime > time || (childTime === time && (this.#sequences[child] as number) > sequence)) break
      this.#move(child, at)
      at = child
    }
    this.#put(at, time, sequence, task)
  }

  #isBefore(left: number, right: number): boolean {
    const leftTime = this.#times[left] as number
    const rightTime = this.#times[right] as number
    if (leftTime !== rightTime) return leftTime < rightTime
    return (this.#sequences[left] as number) < (this.#sequences[right] as number)
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number
    this.#sequences[to] = this.#sequences[from] as number
    this.#tasks[to] = this.#tasks[from] as Task
  }

  #put(at: number, time: number, sequence: number, task: Task): void {
    this.#times[at] = time
    this.#sequences[at] = sequence
    this.#tasks[at] = task
  }
}
