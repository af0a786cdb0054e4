/** Slips in what becomes of entries that are damaged, refused for space, or gone. */
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
  {
    name: 'refused-write-counts-as-flushed',
    rule: 'What is refused for space is not on the disk: nobody is told that it is.',
    source: 'Raft, figure 2: persistent state is updated before responding to RPCs',
    slip: 'a full disk reports the requests that it refuses as complete',
    file: 'sim/src/memory-disk.ts',
    from: 'if (requests.length < this.log.waiting.length) this.#tellFull()',
    to: 'if (requests.length < this.log.waiting.length) {\n      this.#tellFull()\n      this.#owner.persisted(this.log.waiting.at(-1)?.token ?? 0)\n    }',
  },
  {
    name: 'refused-write-loses-entries',
    rule: 'What was handed to a full disk waits whole, in its order, until there is space.',
    source: 'the contract of LogStore; etcd-io/etcd, the NOSPACE alarm (what was appended is kept)',
    slip: 'entries that are refused for space are dropped, the rest of their requests is written later',
    file: 'sim/src/memory-disk.ts',
    from: 'this.#hasRefused = true\n',
    to: 'this.#hasRefused = true\n    for (const { entries } of this.log.waiting) (entries as unknown[]).length = 0\n',
  },
  {
    name: 'namesake-takes-heartbeat',
    rule: 'What a member has acknowledged proves nothing to a namesake that has an empty directory.',
    source: 'etcd-io/etcd documentation, runtime reconfiguration: a replaced member has another id',
    slip: 'heartbeats are for whoever bears the name',
    file: 'core/src/leading.ts',
    from: 'const envelope = { ...this.#replica.to(id), toIncarnation: progress.incarnation }',
    to: 'const envelope = this.#replica.to(id)',
  },
  {
    name: 'rolled-back-log-goes-on',
    rule: 'A log that ends before what its node has acknowledged was rolled back: it goes down, and is repaired.',
    source: 'Alagappan et al., FAST 2018 (a lost entry may have been acknowledged)',
    slip: 'the proof is not looked at: a heartbeat commits what is there',
    file: 'core/src/following.ts',
    from: 'else this.#replica.forgotten = Math.max(forgotten, commit)',
    to: 'else log.commitTo(Math.max(forgotten, log.lastIndex))',
  },
]
