/**
 * Failpoints of a simulated node: the places and terms of a real one (packages/faults). A turn takes no time inside, so nothing
 * sleeps here; whoever asks for that is refused before.
 *
 *     place ─► term ─► panic, return ─► NodeDeath, thrown out of the turn ─► the node is down
 */
import type { Application } from '@troupe/core'
import { type FailpointEffect, type FailpointName, NodeFailpoints } from '@troupe/faults'
import { Violation } from './contract.ts'
import type { Dice } from './dice.ts'

/** A node dies where it is. */
export class NodeDeath extends Error {
  override readonly name = 'NodeDeath'
  readonly at: FailpointName
  /** Of a write that failed. */
  readonly isByDisk: boolean

  constructor(at: FailpointName, isByDisk = false) {
    super(`it dies at ${at}`)
    this.at = at
    this.isByDisk = isByDisk
  }
}

type Applying = Pick<Application<never>, 'apply' | 'load'>

export class SimFailpoints {
  readonly #random: () => Dice
  readonly #print: (text: string) => void
  readonly #effects = new Map<number, FailpointEffect>()
  /** Of the present life. Undefined as long as there was nothing in it: most nodes never have any. */
  #points: NodeFailpoints | undefined
  #application: Applying | undefined

  constructor(random: () => Dice, print: (text: string) => void) {
    this.#random = random
    this.#print = print
  }

  add(id: number, effect: FailpointEffect): void {
    this.#effects.set(id, effect)
    if (this.#points === undefined) this.#begin()
    else this.#points.add(id, effect)
  }

  remove(id: number): void {
    this.#effects.delete(id)
    this.#points?.remove(id)
  }

  /** A life begins: counts begin anew. @throws NodeDeath */
  started(): void {
    this.#points = undefined
    this.#application = undefined
    if (this.#effects.size > 0) this.#begin().reached('start')
  }

  /** Its application is there. */
  applying(application: Applying): void {
    this.#application = application
    this.#points?.applying(application)
  }

  /** @throws NodeDeath */
  save(request: Parameters<NodeFailpoints['save']>[0]): void {
    this.#points?.save(request)
  }
  /** @throws NodeDeath */
  saved(token: number): void {
    this.#points?.saved(token)
  }
  /** @throws NodeDeath */
  reached(name: FailpointName): void {
    this.#points?.reached(name)
  }

  #begin(): NodeFailpoints {
    const points = new NodeFailpoints({
      random: this.#random(),
      sleep: () => {
        throw new Violation('failpoints', 'a turn takes no time inside')
      },
      die: (name) => {
        throw new NodeDeath(name)
      },
      print: (name, value) => this.#print(`${name}: ${value}`),
      failWrite: () => {
        throw new NodeDeath('before-save', true)
      },
    })
    for (const [id, effect] of this.#effects) points.add(id, effect)
    if (this.#application !== undefined) points.applying(this.#application)
    this.#points = points
    return points
  }
}
