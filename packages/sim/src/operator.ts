/**
 * The people who run the cluster: they ask the leader for changes, again where it refuses, put a node with an empty
 * directory in the place of the one it was, and leave joint configurations that were entered to be left by hand.
 */
import {
  type Configuration,
  type ControlCommand,
  type ControlOutcome,
  incarnationIn,
  isJoint,
  isVoter,
} from '@troupe/core'
import type { Coverage } from './coverage.ts'
import type { Dice } from './dice.ts'
import type { Scheduler } from './scheduler.ts'
import type { SimNode } from './sim-node.ts'

const POLL_MS = 40
/** An answer that does not come is not waited for longer. */
const PATIENCE_MS = 3000

/** A node that is to be a member again. */
interface Replacement {
  readonly node: SimNode
  readonly asVoter: boolean
}

export class Operator {
  readonly #scheduler: Scheduler
  readonly #dice: Dice
  readonly #nodes: readonly SimNode[]
  readonly #coverage: Coverage
  readonly #onLine: (text: string) => void
  readonly #onAnswer: (command: ControlCommand, outcome: ControlOutcome | undefined) => void
  readonly #replacements: Replacement[] = []
  /** Number of the command whose answer is awaited; 0: none. */
  #awaited = 0
  /** Commands that some node may still look at. */
  #unanswered = 0
  #lastCommand = 0
  #jointSinceMs: number | undefined
  /** Joint configurations are left at once. */
  isHurried = false

  constructor(parts: {
    scheduler: Scheduler
    dice: Dice
    nodes: readonly SimNode[]
    coverage: Coverage
    onLine: (text: string) => void
    onAnswer: (command: ControlCommand, outcome: ControlOutcome | undefined) => void
  }) {
    this.#scheduler = parts.scheduler
    this.#dice = parts.dice
    this.#nodes = parts.nodes
    this.#coverage = parts.coverage
    this.#onLine = parts.onLine
    this.#onAnswer = parts.onAnswer
    this.#poll()
  }

  /** Whether everything asked for is done, and nothing is on its way. */
  get isIdle(): boolean {
    return this.#awaited === 0 && this.#replacements.length === 0
  }

  /** Whether the members may change in a way that is in nobody's log yet. */
  get hasUnanswered(): boolean {
    return this.#unanswered > 0
  }

  /** Whether a node waits to be made a member again. */
  isReplacing(node: SimNode): boolean {
    return this.#replacements.some((replacement) => replacement.node === node)
  }

  /** A node whose directory is empty now is to become what it was. */
  replace(node: SimNode, asVoter: boolean): void {
    if (!this.isReplacing(node)) this.#replacements.push({ node, asVoter })
  }

  /** Whoever leads in the highest term, as far as the nodes themselves say. */
  get leader(): SimNode | undefined {
    let best: SimNode | undefined
    for (const node of this.#nodes) {
      if (node.life?.core.role !== 'leader' || node.isPaused) continue
      if (best === undefined || node.life.core.term > (best.life?.core.term ?? 0)) best = node
    }
    return best
  }

  /** Asks the leader for something. False where none is known, or an earlier answer is awaited. */
  ask(command: ControlCommand, done: (outcome: ControlOutcome | undefined) => void = () => {}): boolean {
    const { leader } = this
    if (leader === undefined || this.#awaited !== 0) return false
    const number = ++this.#lastCommand
    this.#awaited = number
    const settle = (outcome: ControlOutcome | undefined, what: string): void => {
      if (this.#awaited !== number) return
      this.#awaited = 0
      this.#onLine(`operator: ${describe(command)} at ${leader.id}: ${what}`)
      done(outcome)
    }
    this.#tell(leader, command, (outcome) =>
      settle(outcome, outcome === undefined ? 'node is down' : (outcome.error?.message ?? 'done')),
    )
    this.#scheduler.after(PATIENCE_MS, { run: () => settle(undefined, 'no answer') })
    return true
  }

  /** Asks the leader, whatever was asked before and is not answered yet. False where nobody leads. */
  insist(command: ControlCommand): boolean {
    const { leader } = this
    if (leader === undefined) return false
    this.#tell(leader, command, () => {})
    return true
  }

  #tell(leader: SimNode, command: ControlCommand, answered: (outcome?: ControlOutcome) => void): void {
    this.#unanswered++
    leader.control(command, (outcome) => {
      this.#unanswered--
      this.#onAnswer(command, outcome)
      answered(outcome)
    })
  }

  #poll(): void {
    const delayMs = POLL_MS * (0.5 + this.#dice.next())
    this.#scheduler.after(delayMs, {
      run: () => {
        this.#step()
        this.#poll()
      },
    })
  }

  #step(): void {
    const configuration = this.leader?.life?.core.configuration
    if (configuration === undefined || this.#awaited !== 0) return
    if (this.#leaveJoint(configuration)) return
    const [replacement] = this.#replacements
    if (replacement === undefined) return
    const command = nextStep(configuration, replacement)
    if (command === undefined) {
      this.#replacements.shift()
      this.#coverage.rejoins++
      return
    }
    this.ask(command)
  }

  /** Whether a joint configuration is in the way. */
  #leaveJoint(configuration: Configuration): boolean {
    if (!isJoint(configuration)) {
      this.#jointSinceMs = undefined
      return false
    }
    const { nowMs } = this.#scheduler
    this.#jointSinceMs ??= nowMs
    const waitMs = this.isHurried ? 0 : 500
    if (!configuration.autoLeave && nowMs - this.#jointSinceMs >= waitMs) this.ask({ kind: 'leaveJoint' })
    return true
  }
}

/** What to ask for next, so that a node is a member under its present incarnation; undefined where it is. */
function nextStep(configuration: Configuration, { node, asVoter }: Replacement): ControlCommand | undefined {
  const { id, incarnation } = node
  const known = incarnationIn(configuration, id)
  if (known === undefined) {
    return change({ kind: 'addLearner', member: { id, incarnation } })
  }
  if (known !== incarnation) return change({ kind: 'remove', id })
  return asVoter && !isVoter(configuration, id) ? change({ kind: 'promote', id }) : undefined
}

type Change = Extract<ControlCommand, { kind: 'changeMembers' }>['changes'][number]

const change = (...changes: readonly Change[]): ControlCommand => ({
  kind: 'changeMembers',
  changes,
  leave: 'auto',
})

function describe(command: ControlCommand): string {
  if (command.kind === 'transferLeadership') return `transfer to ${command.to ?? 'anyone'}`
  if (command.kind !== 'changeMembers') return command.kind
  const changes = command.changes.map((one) =>
    one.kind === 'addLearner' ? `add ${one.member.id}/${one.member.incarnation}` : `${one.kind} ${one.id}`,
  )
  return `${changes.join(', ')} (${command.leave})`
}
