/** The world of the simulator, for the director. */
import { type Deed, type Dice, diceOf, streams, type World } from '@troupe/sim'
import type { DirectedWorld, LabDeed } from '../directing/directed-world.ts'

/** What its budget or its operators have to allow. */
const allowed: ReadonlySet<LabDeed['do']> = new Set<LabDeed['do']>([
  ...(['changeMembers', 'transfer', 'wipe', 'flipEntry', 'flipSnapshot', 'rollBack', 'setTerm'] as const),
])

export class SimWorld implements DirectedWorld {
  readonly dice: Dice
  readonly #world: World

  constructor(world: World) {
    this.#world = world
    this.dice = diceOf(world.plan.seed, streams.nemesis)
  }

  get nowMs(): number {
    return this.#world.nowMs
  }
  get nodeIds(): readonly string[] {
    return this.#world.nodeIds
  }
  get memberIds(): readonly string[] {
    return this.#world.members.map(({ id }) => id)
  }
  get leader(): string | undefined {
    return this.#world.operator.leader?.id
  }
  get primaries(): readonly string[] {
    return this.#world.nodes.flatMap(({ id, life }) => (life?.core.role === 'leader' ? [id] : []))
  }
  get clientNames(): readonly string[] {
    return this.#world.clients.names
  }
  get connected(): DirectedWorld['connected'] {
    return this.#world.clients.connected
  }
  get acknowledgedWrites(): number {
    const { writes, sends = 0 } = this.#world.coverage
    return writes + sends
  }
  get isHealed(): boolean {
    return this.#world.isHealed
  }

  get isSettled(): boolean {
    const { nodes, members, ledger, operator } = this.#world
    const core = operator.leader?.life?.core
    if (core === undefined || core.commitIndex !== core.lastIndex) return false
    return members.every(({ id }) => {
      const applied = nodes.find((node) => node.id === id)?.life?.driver.applied
      return applied === ledger.commitIndex
    })
  }

  get isWhole(): boolean {
    const { nodes, members } = this.#world
    return members.every(({ id }) => {
      const damaged = nodes.find((node) => node.id === id)?.life?.core.damaged
      return damaged?.length === 0
    })
  }

  isUp(id: string): boolean {
    return this.#world.nodes.some((node) => node.id === id && node.isUp)
  }

  after(delayMs: number, run: () => void): void {
    this.#world.scheduler.after(delayMs, { run })
  }

  perform(deed: LabDeed, then: (isDone: boolean) => void, refused: (why: string) => void): void {
    const { stage } = this.#world
    const isDone = stage.perform(deed.do === 'outOfMemory' ? { ...deed, do: 'crash' } : (deed as Deed))
    if (!isDone && allowed.has(deed.do) && !('node' in deed && !this.isUp(deed.node ?? '')))
      refused('more than the budget of faults allows, or than operators do at once')
    then(isDone)
  }

  line(text: string): void {
    this.#world.line(text)
  }

  heal(): void {
    this.#world.heal()
  }

  giveUp(): void {
    this.#world.isDone = true
  }
}
