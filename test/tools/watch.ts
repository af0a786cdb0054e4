/**
 * Ends a test file that does not get on, and says why in one line:
 *
 *     a test that has timed out     what it awaits goes on behind it: what comes after cannot be trusted
 *     a test that blocks            its process cannot even tell that it has timed out
 *     no test for a while           something is left open, or a hook or the file itself hangs
 */
import { resolve } from 'node:path'
import type { EventData } from 'node:test'
import type { TestEvent } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** For a test that does not name its own; an environment may need more. */
export function testTimeoutMs(): number {
  return process.env.TROUPE_FULL ? 3_600_000 : 180_000
}

/** Beyond a test's own timeout: nothing was said of it. */
const GRACE_MS = 30_000
/** Before the first test, between two, behind the last: far above what a hook waits for. */
const IDLE_MS = 90_000
/** How node:test calls the failure of a test that took too long. */
export const TIMED_OUT = 'testTimeoutFailure'

/** With process isolation a file is a test itself, without its own file among its data. */
export function isOfFile(data: {
  readonly name: string
  readonly nesting: number
  readonly file?: string
}): boolean {
  return data.nesting === 0 && data.file !== undefined && resolve(root, data.name) === data.file
}

/** Of one file, from its start to `end`. */
export class Watch {
  readonly #controller = new AbortController()
  /** What runs now, suites around it included; the innermost last. */
  readonly #running = new Map<string, string>()
  #timer: NodeJS.Timeout
  #reason: string | undefined

  constructor() {
    this.#timer = this.#arm()
  }

  /** Aborted when the file is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Why it was ended, where no test that has failed says it. */
  get reason(): string | undefined {
    return this.#reason
  }

  see(event: TestEvent): void {
    clearTimeout(this.#timer)
    if (event.type === 'test:dequeue' && !isOfFile(event.data)) {
      this.#running.set(keyOf(event.data), event.data.name)
    } else if (event.type === 'test:complete') {
      this.#running.delete(keyOf(event.data))
    } else if (event.type === 'test:fail' && hasTimedOut(event.data)) {
      this.#controller.abort()
    }
    this.#timer = this.#arm()
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #arm(): NodeJS.Timeout {
    const last = [...this.#running.values()].at(-1)
    const boundMs = testTimeoutMs() + GRACE_MS
    if (last !== undefined) return setTimeout(() => this.#hung(`"${last}" blocks it`), boundMs)
    // A test that blocks at once is not even announced.
    const idleMs = process.env.TROUPE_FULL ? boundMs : IDLE_MS
    return setTimeout(() => this.#hung('a test blocks, a hook hangs, or something is left open'), idleMs)
  }

  #hung(why: string): void {
    this.#reason = `the test process hung: ${why}`
    this.#controller.abort()
  }
}

interface Place {
  readonly name: string
  readonly nesting: number
  readonly file?: string
  readonly line?: number
  readonly column?: number
}

const keyOf = ({ name, nesting, file, line, column }: Place): string =>
  [file, line, column, nesting, name].join(':')

function hasTimedOut({ details }: EventData.TestFail): boolean {
  return (details.error as { readonly failureType?: string }).failureType === TIMED_OUT
}
