import assert from 'node:assert/strict'
import type { Entry, Message, NodeId } from '../src/index.ts'
import type { Life, Observer, TestCluster, TestNode } from './cluster.ts'

/** What was last seen of one life of a node. */
interface Seen {
  readonly life: Life
  term: number
  commit: number
  applied: number
  /** While it leads: its log, to see that it only appends. */
  leads: { readonly term: number; length: number; last: Entry | undefined } | undefined
  reads: number
}

interface Committed {
  readonly entry: Entry
  /** Term of the leader that committed it. */
  readonly inTerm: number
}

/** How often what the test is about has happened: proof that the runs reach the dangerous places. */
export interface Coverage {
  leaders: number
  commits: number
  truncations: number
  lostWrites: number
  refusals: number
  oldTermCommits: number
  reads: number
}

/** The safety properties of Raft (Figure 3), and what our own laws add, checked with every event. */
export class Invariants implements Observer {
  cluster: TestCluster | undefined
  readonly coverage: Coverage
  readonly committed: Committed[] = []
  readonly #leaders = new Map<number, NodeId>()
  /** The one entry of an index and a term, and the term of the one before it. */
  readonly #entries = new Map<string, { readonly record: Uint8Array; readonly previousTerm: number }>()
  readonly #votes = new Map<string, NodeId>()
  readonly #toldTerms = new Map<NodeId, number>()
  readonly #checkedLogs = new Map<NodeId, Entry[]>()
  readonly #seen = new Map<NodeId, Seen>()
  /** Commit index of the whole cluster when each read was asked for. */
  readonly readFloors = new Map<number, number>()

  constructor(coverage: Coverage) {
    this.coverage = coverage
  }

  /** DESIGN law 6: what a message promises is on the disk of its sender. */
  sent(node: TestNode, message: Message): void {
    const { hardState, entries } = node.disk.flushed
    const isTentative =
      message.kind === 'preVoteRequest' || (message.kind === 'preVoteReply' && message.granted)
    if (isTentative) return
    assert.ok(
      message.term <= hardState.term,
      `${message.kind} in term ${message.term}, flushed: ${hardState.term}`,
    )
    this.#toldTerms.set(node.id, Math.max(message.term, this.#toldTerms.get(node.id) ?? 0))
    if (message.kind === 'voteRequest') {
      this.#checkVote(node, message.term, node.id)
      // Not that of a candidate that follows another by now: nobody counts the answers.
      if (node.life?.core.role === 'candidate' && node.life.core.term === message.term) {
        assert.ok(entries.length >= message.lastIndex, 'a candidate tells of entries it could lose')
      }
    }
    if (message.kind === 'voteReply' && message.granted) this.#checkVote(node, message.term, message.to)
    if (message.kind !== 'appendReply') return
    if (!message.accepted) this.coverage.refusals++
    else if (hardState.term === message.term) {
      assert.ok(entries.length >= message.matchIndex, `acknowledged ${message.matchIndex} before its flush`)
    }
  }

  /** §5.2: at most one vote a term, over crashes too. */
  #checkVote(node: TestNode, term: number, candidate: NodeId): void {
    const { hardState } = node.disk.flushed
    if (hardState.term === term)
      assert.equal(hardState.vote, candidate, 'a vote is told before it is flushed')
    const key = `${node.id} in ${term}`
    assert.equal(this.#votes.get(key) ?? candidate, candidate, `second vote of ${key}`)
    this.#votes.set(key, candidate)
  }

  /** What is committed stays on the disks of a quorum, whatever is truncated. */
  wrote(_node: TestNode, truncatedFrom: number): void {
    if (truncatedFrom !== Infinity) this.coverage.truncations++
    for (let index = truncatedFrom; index <= this.committed.length; index++) this.#checkOnQuorum(index)
  }

  turned(node: TestNode): void {
    const life = node.life as Life
    let seen = this.#seen.get(node.id)
    if (seen?.life !== life) {
      seen = { life, term: 0, commit: 0, applied: 0, leads: undefined, reads: 0 }
      this.#seen.set(node.id, seen)
      const told = this.#toldTerms.get(node.id) ?? 0
      assert.ok(life.core.term >= told, `restarted in term ${life.core.term}, had told of ${told}`)
    }
    this.#checkLog(node)
    this.#checkTerm(seen)
    this.#checkCommit(node, seen)
    this.#checkLeader(node, seen)
    this.#checkApplied(seen)
    this.#checkReads(seen)
  }

  /** Log Matching: an index and a term name one entry, and by induction all that precede it. */
  #checkLog(node: TestNode): void {
    const log = node.disk.seen.entries
    const checked = this.#checkedLogs.get(node.id) ?? []
    let same = Math.min(checked.length, log.length)
    while (same > 0 && checked[same - 1] !== log[same - 1]) same--
    for (const entry of log.slice(same)) {
      const previousTerm = log[entry.index - 2]?.term ?? 0
      assert.ok(previousTerm <= entry.term, `terms decrease at ${entry.index}`)
      const key = `${entry.index}/${entry.term}`
      const known = this.#entries.get(key)
      if (known === undefined) this.#entries.set(key, { record: entry.record, previousTerm })
      else {
        assert.equal(known.previousTerm, previousTerm, `two histories before ${key}`)
        assert.deepEqual(known.record, entry.record, `two entries ${key}`)
      }
    }
    this.#checkedLogs.set(node.id, [...log])
  }

  #checkTerm(seen: Seen): void {
    const { core } = seen.life
    assert.ok(core.term >= seen.term, `term went back from ${seen.term} to ${core.term}`)
    seen.term = core.term
  }

  /** Election Safety, Leader Append-Only, Leader Completeness. */
  #checkLeader(node: TestNode, seen: Seen): void {
    const { core } = seen.life
    if (core.role !== 'leader') {
      seen.leads = undefined
      return
    }
    const log = node.disk.seen.entries
    assert.equal(this.#leaders.get(core.term) ?? node.id, node.id, `second leader in term ${core.term}`)
    if (seen.leads?.term !== core.term) {
      this.#leaders.set(core.term, node.id)
      this.coverage.leaders++
      for (const { entry, inTerm } of this.committed) {
        if (inTerm >= core.term) continue
        assert.equal(
          log[entry.index - 1]?.term,
          entry.term,
          `leader of ${core.term} lacks committed ${entry.index}`,
        )
      }
    } else {
      const { length, last } = seen.leads
      assert.ok(log.length >= length && log[length - 1] === last, 'a leader overwrote its log')
    }
    seen.leads = { term: core.term, length: log.length, last: log.at(-1) }
  }

  /** Committed by a quorum that has flushed it, an entry of the leader's term last (§5.4.2), and for ever. */
  #checkCommit(node: TestNode, seen: Seen): void {
    const { core } = seen.life
    const log = node.disk.seen.entries
    // It may have committed and stepped down in the same drain.
    const led = seen.leads?.term ?? (core.role === 'leader' ? core.term : undefined)
    let last: Entry | undefined
    assert.ok(core.commitIndex >= seen.commit, `commit went back from ${seen.commit} to ${core.commitIndex}`)
    assert.ok(core.commitIndex <= log.length, 'commit beyond the log')
    for (let index = seen.commit + 1; index <= core.commitIndex; index++) {
      const entry = log[index - 1] as Entry
      const before = this.committed[index - 1]
      if (before !== undefined) {
        assert.equal(entry.term, before.entry.term, `committed ${index} differs`)
        continue
      }
      assert.ok(led !== undefined, `${node.id} committed ${index} and does not lead`)
      this.committed.push({ entry, inTerm: led })
      this.coverage.commits++
      if (entry.term !== led) this.coverage.oldTermCommits++
      this.#checkOnQuorum(index)
      last = entry
    }
    if (last !== undefined) assert.equal(last.term, led, 'committed by counting an earlier term')
    seen.commit = core.commitIndex
  }

  #checkOnQuorum(index: number): void {
    const nodes = this.cluster?.nodes ?? []
    const { entry } = this.committed[index - 1] as Committed
    const holders = nodes.filter(({ disk }) => disk.flushed.entries[index - 1]?.term === entry.term)
    assert.ok(
      holders.length * 2 > nodes.length,
      `${index} is committed, but only ${holders.length} flushed it`,
    )
  }

  /** State Machine Safety: each index once, in order, the same everywhere. */
  #checkApplied(seen: Seen): void {
    const { applied } = seen.life.application
    assert.equal(seen.life.driver.applied, applied.length)
    for (; seen.applied < applied.length; seen.applied++) {
      const entry = applied[seen.applied] as Entry
      const expected = this.committed[seen.applied]?.entry
      assert.equal(entry.index, seen.applied + 1, 'applied out of order')
      assert.ok(expected !== undefined, `${entry.index} applied before it was committed`)
      assert.deepEqual(entry.record, expected.record, `another entry applied at ${entry.index}`)
    }
  }

  /** Linearizability of reads: a read sees all that was committed anywhere when it was asked for. */
  #checkReads(seen: Seen): void {
    const { granted } = seen.life.application
    for (; seen.reads < granted.length; seen.reads++) {
      const { id, index } = granted[seen.reads] as { id: number; index: number }
      const floor = this.readFloors.get(id) as number
      assert.ok(
        index >= floor,
        `read ${id} would see ${index}, but ${floor} was committed before it was asked`,
      )
      this.coverage.reads++
    }
  }
}
