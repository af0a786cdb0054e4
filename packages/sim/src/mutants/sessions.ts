/** Slips in client sessions: why a retried command is applied once. */
import type { Mutant } from './mutant.ts'

export const sessionMutants: readonly Mutant[] = [
  {
    name: 'sessions-not-in-snapshot',
    rule: 'The sessions are part of the replicated state, so of every snapshot.',
    source: 'thesis §6.3',
    slip: 'a snapshot holds the machine, but no session',
    file: 'machines/src/saved-state.ts',
    from: 'for (let next = sessions.next(); next.done !== true; next = sessions.next())\n    yield frame(FrameKind.sessions, next.value)\n',
    to: '',
  },
  {
    name: 'session-numbers-begin-anew',
    rule: 'The number of a session is never given out again.',
    source: 'thesis §6.3 (a session is registered through the log)',
    slip: 'a restored state does not know the last session number',
    file: 'machines/src/saved-state.ts',
    from: 'this.#sessions.restoreLastId(lastSession ?? 0)',
    to: '',
  },
  {
    name: 'deduplicates-by-highest-number',
    rule: 'A command that never came is not taken for applied because a later one was.',
    source: 'thesis §6.3 (responses are kept by serial number)',
    slip: 'a gap in the numbers is no gap: whatever is higher than the last one is applied',
    file: 'machines/src/sessions.ts',
    from: "if (frame.first > session.last + 1) return { kind: 'gap', expected: session.last + 1 }",
    to: 'if (frame.first > session.last + 1) return APPLY_ALL',
  },
  {
    name: 'retry-applied-again',
    rule: 'A command that is retried is answered from its session, not applied again.',
    source: 'Raft §8, thesis §6.3',
    slip: 'a frame that was applied before is applied once more',
    file: 'machines/src/sessions.ts',
    from: "if (end <= session.last) return { kind: 'duplicate', answered: answersFor(session, frame.first, end) }",
    to: 'if (end <= session.last) return APPLY_ALL',
  },
  {
    name: 'no-space-told-in-doubt',
    rule: 'That nothing happened is told only of commands of which every copy was refused.',
    source: 'thesis §6.3; hashicorp/raft: a command without an answer may or may not have been applied',
    slip: 'one refusal is enough, whatever became of other copies',
    file: 'machines/src/sent-frame.ts',
    from: 'const first = frames.findIndex((frame) => copies(frame) === 0)',
    to: 'const first = frames.findIndex(({ sends, refusals }) => sends === 0 || refusals > 0)',
  },
]
