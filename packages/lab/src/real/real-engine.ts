/** What engines with real nodes have in common: one run after the other, in real time. */
import { join } from 'node:path'
import { invariantNames } from '@troupe/sim'
import type { Engine, EngineTask } from '../engine.ts'
import { clientNames, nodeNames } from '../scenario/names.ts'
import type { Case } from '../scenario/read-scenario.ts'
import type { Problem } from '../schema/schema.ts'
import { type Abilities, unableOf } from './able.ts'
import { unobservableInvariants } from './observable.ts'
import { type PlayOptions, playRun } from './play.ts'

export abstract class RealEngine implements Engine {
  abstract readonly name: string
  /** One run: it takes its time, and chance is not the seed's alone. */
  readonly defaultSeeds = { base: 1, runs: 1 }
  readonly invariants = invariantNames.filter((name) => !unobservableInvariants.has(name))
  /** Runs would disturb each other: they need all cores. */
  #last: Promise<void> = Promise.resolve()

  protected abstract readonly abilities: Abilities
  protected abstract readonly play: Pick<PlayOptions, 'open' | 'order'>
  /** What else has to be typed to have the same nodes. */
  protected readonly flags: string = ''

  unable(item: Case): readonly Problem[] {
    return unableOf(item, this.abilities)
  }

  run(task: EngineTask): Promise<void> {
    const mine = this.#last.then(() => this.#run(task))
    this.#last = mine.catch(() => {})
    return mine
  }

  async #run(task: EngineTask): Promise<void> {
    const { seeds, timeline, signal, onRun } = task
    const { item } = task
    const { scenario } = item
    for (const seed of seeds) {
      if (signal.aborted) return
      const run = await playRun({
        ...this.play,
        ...{ scenario, seed, timeline, signal, label: this.#labelOf(item, seed) },
        eventLog: this.#eventLog(task, seed),
        onNow: (now) => task.onNow?.(now),
      })
      if (run !== undefined) onRun(run)
    }
  }

  #eventLog({ item, eventLogFolder }: EngineTask, seed: number): PlayOptions['eventLog'] {
    if (eventLogFolder === undefined) return undefined
    const { file, name, scenario } = item
    const { name: engine } = this
    return {
      file: join(eventLogFolder, `${this.#labelOf(item, seed)}.ndjson`),
      identity: {
        ...{ case: name, file, engine, seed },
        nodes: nodeNames(scenario.cluster),
        clients: clientNames(scenario.workload),
      },
    }
  }

  #labelOf({ name }: Case, seed: number): string {
    return `${name.replaceAll(/[^A-Za-z0-9]+/g, '-')}-${this.name}-${seed}`
  }

  reproduce({ file, name }: Case, seed: number): string {
    const what = `--engine ${this.name} --case '${name}' --from ${seed} --seeds 1 --timeline`
    return `pnpm troupe run ${file} ${what}${this.flags}`
  }

  async close(): Promise<void> {
    await this.#last
  }
}
