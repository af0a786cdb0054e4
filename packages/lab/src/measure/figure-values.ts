import type { RunPhase } from '../events/run-event.ts'
import { type FigureName, type Figures, figureNames } from '../figures.ts'

type StemOf<Name> = Name extends `${infer Stem}Before` ? Stem : never

/** A figure that is told of each phase, without the phase. */
export type PhasedFigure = StemOf<FigureName>

const suffixes = { before: 'Before', during: 'During', after: 'After' } as const

export const ofPhase = (stem: PhasedFigure, phase: RunPhase): FigureName =>
  `${stem}${suffixes[phase]}` as FigureName

/** What was measured so far, by figure. */
export class FigureValues {
  readonly #values = new Map<FigureName, number[]>()

  add(name: FigureName, value: number): void {
    const values = this.#values.get(name)
    if (values === undefined) this.#values.set(name, [value])
    else values.push(value)
  }

  has(name: FigureName): boolean {
    return this.#values.has(name)
  }

  last(name: FigureName): number | undefined {
    return this.#values.get(name)?.at(-1)
  }

  /** In the order of the list. */
  get figures(): Partial<Figures> {
    return Object.fromEntries(
      figureNames.flatMap((name) => {
        const values = this.#values.get(name)
        return values === undefined ? [] : [[name, [...values]]]
      }),
    )
  }
}
