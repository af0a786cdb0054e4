/** Slips in what becomes of damaged entries. */
import type { Mutant } from './mutant.ts'

const FAST = 'Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018'

export const storageMutants: readonly Mutant[] = [
  {
    name: 'damage-cut-as-torn-tail',
    rule: 'An entry that was written completely and does not fit its checksum is damage: it may have been acknowledged.',
    source: `${FAST} (a crash and a corruption are told apart)`,
    slip: 'opening cuts the log at the first entry that does not fit its checksum',
    file: 'sim/src/memory-log.ts',
    from: 'this.#damaged = rangesOf(this.flipped)\n',
    to: 'for (const index of this.flipped) {\n      const { flushed } = this\n      const sound = Math.max(0, index - 1 - flushed.base.index)\n      if (sound < flushed.entries.length) flushed.entries.length = sound\n    }\n    this.flipped.clear()\n    this.seen = this.flushed.copy()\n',
  },
  {
    name: 'absent-elsewhere-is-cut',
    rule: 'That a peer does not have an entry proves nothing: it may have been asked before it got it.',
    source: FAST,
    slip: 'damage is cut away where any member says that it has no such entry',
    file: 'core/src/repair.ts',
    from: 'if (this.#isLeaders(message)) return this.#takeLeaders(message, range)',
    to: "if (this.#isLeaders(message) || message.verdict === 'absent') return this.#takeLeaders(message, range)",
  },
  {
    name: 'repairs-from-any-log',
    rule: 'Only the leader, and logs with the same intact neighbour behind the damage, know what stood there.',
    source: `${FAST}; Raft §5.3 (Log Matching)`,
    slip: 'entries of any member take the place of damaged ones',
    file: 'core/src/repair.ts',
    from: "if (message.verdict === 'intact' && message.entries.length > 0) this.#mend(message.entries)",
    to: 'if (message.entries.length > 0) this.#mend(message.entries)',
  },
  {
    name: 'damaged-log-acknowledges',
    rule: 'Who does not know what its log holds acknowledges nothing.',
    source: FAST,
    slip: 'appends are taken and acknowledged behind damage',
    file: 'core/src/following.ts',
    from: 'if (isDamaged) return\n',
    to: '',
  },
]
