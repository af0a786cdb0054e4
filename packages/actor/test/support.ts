/** What the tests of this package share. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ActorEvents, ActorHandle, ActorSpec, Supervisor } from '../src/index.ts'
import type { TestActorData, TestControl } from './fixtures/test-actor.ts'

export type TestActor = ActorHandle<TestControl>

/** Adds an actor of fixtures/test-actor.ts that behaves as told, and fails fast. */
export function spawnTestActor(
  supervisor: Supervisor,
  data: TestActorData | ((startCount: number) => TestActorData) = { behave: 'well' },
  more: Partial<ActorSpec> = {},
): TestActor {
  return supervisor.spawn<TestControl>({
    id: `actor-${supervisor.actors.length + 1}`,
    url: new URL('./fixtures/test-actor.ts', import.meta.url),
    launch: (startCount) => ({ data: typeof data === 'function' ? data(startCount) : data }),
    restart: { mode: 'never' },
    ...more,
  })
}

/** The next event of this name. The test's timeout is the bound. */
export async function next<E extends keyof ActorEvents>(
  supervisor: Supervisor,
  event: E,
): Promise<ActorEvents[E][0]> {
  const [info] = (await once(supervisor, event)) as ActorEvents[E]
  return info
}

/** Far above what anything here takes. A loop that outlived its test would keep a core busy for ever. */
const BOUND_MS = 60_000

/** Asks again, a turn of the event loop later, until the answer is yes; fails after a bound. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + BOUND_MS
  while (!(await condition())) {
    assert.ok(performance.now() < deadlineMs, `not within ${BOUND_MS} ms: ${condition}`)
    await new Promise(setImmediate)
  }
}
