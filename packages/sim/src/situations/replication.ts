import { type Hooks, type SituationMaker, situation } from './situation.ts'

/** Entries on their way to a quorum, and those that do not get there (Raft §5.3, §5.4.2). */
export const replication: readonly SituationMaker[] = [
  situation('log overwritten', 'entries that were not committed gave way to others', (reached) => ({
    truncating: (from, { node }) => {
      if (from <= node.disk.log.seen.lastIndex) reached()
    },
  })),
  situation('several terms overwritten at once', 'what more than one leader had left', (reached) => ({
    truncating: (from, { node }) => {
      const { seen } = node.disk.log
      const first = seen.termAt(from)
      if (first !== undefined && first !== seen.termAt(seen.lastIndex)) reached()
    },
  })),
  situation(
    'old term committed by a later one',
    'with an entry of the own term behind it (§5.4.2)',
    (reached) => ({
      committed: ({ entry, inTerm }) => {
        if (entry.term !== inTerm) reached()
      },
    }),
  ),
  situation('committed before the own disk had it', 'the followers alone were a quorum', (reached) => ({
    led: ({ core, before }) => {
      const { commitIndex } = core
      if (commitIndex > before.commitIndex && commitIndex > core.stableIndex) reached()
    },
  })),
  situation(
    'flush outlived its entries',
    'they were truncated before it was acknowledged',
    flushOutlivedItsEntries,
  ),
  situation(
    'window full of messages',
    'more is there to be sent than may be on its way',
    (reached, world) => ({
      sent: {
        appendRequest: ({ to, entries }, { core }) => {
          if (entries.length === 0) return
          const progress = core.progress.get(to)
          if (progress === undefined || !progress.isFull || progress.next > core.lastIndex) return
          if (progress.inflightMessages >= world.plan.knobs.maxInflightMessages) reached()
        },
      },
    }),
  ),
  situation('window full of bytes', 'likewise', (reached, world) => ({
    sent: {
      appendRequest: ({ to, entries }, { core }) => {
        if (entries.length === 0) return
        const progress = core.progress.get(to)
        if (progress === undefined || !progress.isFull || progress.next > core.lastIndex) return
        if (progress.inflightBytes >= world.plan.knobs.maxInflightBytes) reached()
      },
    },
  })),
  situation('append found a gap', 'the log of the follower ends before it', (reached) => ({
    sent: {
      appendReply: ({ accepted, rejected }, { core }) => {
        if (!accepted && rejected > core.lastIndex) reached()
      },
    },
  })),
  situation(
    'hint skipped a run of entries',
    'of terms that the leader cannot have there (§5.3)',
    (reached) => ({
      sent: {
        appendReply: ({ accepted, rejected, hintIndex }, { core }) => {
          if (!accepted && Math.min(rejected, core.lastIndex) - hintIndex > 1) reached()
        },
      },
    }),
  ),
  situation('leader crashed with uncommitted entries', 'of its own term', (reached) => ({
    crashed: (node, { role, term, commitIndex, lastIndex }) => {
      if (role !== 'leader' || lastIndex <= commitIndex) return
      if (node.disk.log.flushed.termAt(lastIndex) === term) reached()
    },
  })),
  situation(
    'leader crashed with an uncommitted old term',
    'entries that it had not written itself',
    (reached) => ({
      crashed: (node, { role, term, commitIndex }) => {
        const next = node.disk.log.flushed.termAt(commitIndex + 1)
        if (role === 'leader' && next !== undefined && next < term) reached()
      },
    }),
  ),
]

/** The ABA race of asynchronous appends: what was asked to be flushed is cut off before it is, other entries stand there. */
function flushOutlivedItsEntries(reached: () => void): Hooks {
  /** By node: the flush whose entries are gone, and the request that removed them. */
  const outlived = new Map<number, { readonly boot: number; readonly token: number; readonly by: number }>()
  return {
    truncating: (from, { node }, by) => {
      const cut = node.disk.log.waiting.find(({ entries }) => {
        const last = entries.at(-1)
        return last !== undefined && last.index >= from
      })
      if (cut !== undefined) outlived.set(node.index, { boot: node.boot, token: cut.token, by })
    },
    event: {
      persisted: ({ token }, { node }) => {
        const cut = outlived.get(node.index)
        if (cut === undefined) return
        if (cut.boot === node.boot && token < cut.token) return
        outlived.delete(node.index)
        if (cut.boot === node.boot && token < cut.by) reached()
      },
    },
  }
}
