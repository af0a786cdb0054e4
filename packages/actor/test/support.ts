/** What the tests of this package share. */
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

/** Asks again, a turn of the event loop later, until the answer is yes. The test's timeout is the bound. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(setImmediate)
}
