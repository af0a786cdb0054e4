/** Whether links can be shaped here: tried in a namespace that is gone again before anything runs. */
import type { LinkEffect } from '@troupe/faults'
import { reasonOf, runNow } from './net-tools.ts'
import { cannotEmulate, netemStages, stageLines, treeLines } from './netem.ts'

/** There in every namespace, and of no use for anything else in this one. */
const DEVICE = 'lo'
/** Two, as where a sender has two receivers: what is on the one may forbid something on the other. */
const ADDRESSES = ['127.0.0.1', '127.0.0.2']

/** What netem stands on, in the order in which it is looked for, and what the kernel is to be built with. */
const NEEDED: readonly [what: string, lines: readonly string[]][] = [
  ["the kernel's htb (CONFIG_NET_SCH_HTB)", treeLines(DEVICE, [])],
  ["the kernel's u32 (CONFIG_NET_CLS_U32)", treeLines(DEVICE, ADDRESSES).slice(1)],
  ["the kernel's netem (CONFIG_NET_SCH_NETEM)", stageLines(DEVICE, 0, [['delay', '1ms']], 0)],
]

export class NetemProbe {
  /** What is missing, as one that is expected; undefined where there is netem. */
  readonly missing: string | undefined
  readonly #program: string

  /** Looks at once. @param program which is asked, in place of `tc` */
  constructor(program = 'tc') {
    this.#program = program
    this.missing = this.#inNamespace((run) => {
      for (const [what, lines] of NEEDED) {
        const problem = run(lines)
        if (problem === undefined) continue
        return problem.isAbsent ? `the program ${program} (iproute2)` : `${what}: ${problem.reason}`
      }
      return undefined
    })
  }

  /** Why these cannot be on one link; undefined where they can. There is netem. */
  refused(effects: readonly LinkEffect[]): string | undefined {
    const [impossible] = effects.flatMap((effect) => cannotEmulate(effect) ?? [])
    if (impossible !== undefined) return impossible
    const stages = netemStages(effects)
    return this.#inNamespace((run) => {
      run(treeLines(DEVICE, ADDRESSES))
      return run(ADDRESSES.flatMap((_, at) => stageLines(DEVICE, at, stages, 0)))?.reason
    })
  }

  #inNamespace(look: (run: (lines: readonly string[]) => Refusal | undefined) => string | undefined) {
    const name = `troupe-lab-${process.pid}-netem`
    try {
      runNow('ip', ['netns', 'add', name])
    } catch (error) {
      return `the right to make namespaces: ${reasonOf(error)}`
    }
    try {
      return look((lines) => this.#run(name, lines))
    } finally {
      runNow('ip', ['netns', 'del', name])
    }
  }

  #run(namespace: string, lines: readonly string[]): Refusal | undefined {
    try {
      runNow(this.#program, ['-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`)
      return undefined
    } catch (error) {
      return { reason: reasonOf(error), isAbsent: (error as NodeJS.ErrnoException).code === 'ENOENT' }
    }
  }
}

interface Refusal {
  readonly reason: string
  /** The program itself is not there. */
  readonly isAbsent: boolean
}
