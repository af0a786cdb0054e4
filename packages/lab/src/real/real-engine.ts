/** What engines with real nodes have in common: one run after the other, in real time. */
import type { Engine, EngineTask } from '../engine.ts'
import type { Case } from '../scenario/read-scenario.ts'
import type { Problem } from '../schema/schema.ts'
import { type Abilities, unableOf } from './able.ts'
import { type PlayOptions, playRun } from './play.ts'

export abstract class RealEngine implements Engine {
  abstract readonly name: string
  /** One run: it takes its time, and chance is not the seed's alone. */
  readonly defaultSeeds = { base: 1, runs: 1 }
  /** Runs would disturb each other: they need all cores. */
  #last: Promise<void> = Promise.resolve()

  protected abstract readonly abilities: Abilities
  protected abstract readonly play: Pick<PlayOptions, 'open' | 'order'>

  unable(item: Case): readonly Problem[] {
    return unableOf(item, this.abilities)
  }

  run(task: EngineTask): Promise<void> {
    const mine = this.#last.then(() => this.#run(task))
    this.#last = mine.catch(() => {})
    return mine
  }

  async #run({ item: { scenario }, seeds, timeline, signal, onRun }: EngineTask): Promise<void> {
    for (const seed of seeds) {
      if (signal.aborted) return
      const run = await playRun({ ...this.play, scenario, seed, timeline, signal })
      if (run !== undefined) onRun(run)
    }
  }

  reproduce({ file, name }: Case, seed: number): string {
    return `pnpm troupe run ${file} --engine ${this.name} --case '${name}' --from ${seed} --seeds 1 --timeline`
  }

  async close(): Promise<void> {
    await this.#last
  }
}
