/**
 * Transcripts: what a few cores do, step by step, recorded and reviewed (the idea is etcd/raft's testdata).
 *
 * A file begins with a comment that says what is expected, and why. What follows are commands, each in a line
 * of its own, with what came of it indented below:
 *
 *     campaign 1
 *       1 role candidate t1 leader=-
 *       1 persist #1 term=1 vote=1 then voteRequest>2, voteRequest>3
 *
 * `TROUPE_RECORD=1 node test/run.ts transcripts` writes the outputs anew: read the diff before you believe it. How things are
 * written: notation.ts. Nodes are numbers; `1,2` names several, no name all of them. Time is in `ms`.
 *
 *     # ...                          a comment
 *     quietly COMMAND                without its output
 *     COMMAND &                      the turn goes on: what follows is of the same drain
 *
 *   before the start
 *     nodes 3 [voters=1,2] [learners=3] [KNOB=VALUE...]    all vote, unless said; whoever does neither, joins later
 *     knobs 2 KNOB=VALUE...          of one node
 *     random 2 0.5                   what its random source gives (first 0, 0.1, 0.2 ... for nodes 1, 2, 3)
 *     log 2 1,1,4                    a log with entries of these terms; the term is at least the last of them
 *     hard 2 term=4 [vote=3]
 *     start [2]
 *
 *   what happens to a node
 *     campaign 1 | propose 1 x y | read 1 7 [forward] | transfer 1 [2] | leave 1
 *     change 1 learner:4 promote:4 demote:2 remove:3 [explicit]
 *     snapshot 1                     of what is applied; the node hears of it with `stored`
 *     stored 1                       the snapshot store reports what is complete
 *     gone 2 1 | up 2 1 | exited 2 1 [boot=1]    node 2 hears that the connection to 1 closed, is there; that 1 has ended
 *     advance 50ms [1,2]             time passes, for these nodes to see
 *     timeout 1                      time passes until something is due on node 1, for it alone
 *     ready 1                        ends a turn
 *
 *   the network; FROM>TO with * for any, then the beginning of a kind, then how many
 *     deliver | drop | duplicate | hold | reorder [1>2] [append] [1]
 *     release                        what is held is on its way again, behind the rest
 *     cut 1,2|3                      between these sides nothing passes; `heal` ends it
 *     network                        what is on its way
 *
 *   the disk
 *     flush 1 [count] | stall 1 | unstall 1      a stalled disk does not flush
 *     full 1 | space 1               a disk without space: nothing is flushed, and its node is told; it has space again
 *     crash 2 [written=1]            what is not flushed is lost, but for the oldest requests
 *     restart 2 | wipe 2             (wiped: a new directory, that is a new incarnation, which knows nobody)
 *     rollback 2 3                   a stopped node loses its last entries without knowing it
 *     damage 2 5..6                  what a stopped node will find
 *
 *   going on
 *     stabilize [1,2]                delivers and flushes among these until nothing moves; time stands still
 *     run 300ms [1,2]                lets time pass, stabilizing at each deadline
 *
 *   looking
 *     status [1] | logs | lease 1
 *     expect 1 role=leader term=2 commit=3 log=1,1,2 ...    fails the test, also while recording; fields: see `fieldsOf`
 */
import { RaftError } from '../../src/index.ts'
import { commands } from './commands.ts'
import { World } from './world.ts'

const LINES_BEFORE_AN_ERROR = 30

/** Plays the script in `text` and gives it with its outputs as they are now. Errors name `file` and the line. */
export function play(file: string, text: string): string {
  const world = new World()
  const played: string[] = []
  for (const [at, line] of text.replaceAll('\r\n', '\n').split('\n').entries()) {
    if (/^\s+\S/.test(line)) continue
    played.push(line.trimEnd())
    if (line.trim() === '' || line.startsWith('#')) continue
    try {
      perform(world, line)
    } catch (error) {
      const reason = error instanceof Error && !(error instanceof RaftError) ? error.message : String(error)
      const before = [...played.slice(-LINES_BEFORE_AN_ERROR), ...world.lines.map((output) => `  ${output}`)]
      throw new Error(`${file}:${at + 1}: ${line}\n${reason}\n\nbefore:\n${before.join('\n')}`, {
        cause: error,
      })
    }
    for (const output of world.lines) played.push(`  ${output}`)
    world.lines = []
  }
  return `${played.join('\n').trimEnd()}\n`
}

function perform(world: World, line: string): void {
  const words = line.trim().split(/\s+/)
  const isQuiet = words[0] === 'quietly'
  if (isQuiet) words.shift()
  const goesOn = words.at(-1) === '&'
  if (goesOn) words.pop()
  const [name = '', ...args] = words
  const command = commands[name]
  if (command === undefined) throw new Error(`no such command; there are ${Object.keys(commands).join(', ')}`)
  command(world, args)
  if (!goesOn) for (const node of world.alive) if (node.isInTurn) world.turn(node)
  if (isQuiet) world.lines = []
}

/** The comment that a transcript begins with. */
export function headOf(text: string): string {
  return /^(?:#.*\n)*/.exec(text)?.[0] ?? ''
}

const CONTEXT = 2

/** The lines in which two texts differ, with a little of what is around them. Empty where they do not. */
export function lineDiff(before: string, after: string): string[] {
  const [left, right] = [before.split('\n'), after.split('\n')]
  const lengths = commonLengths(left, right)
  const edits: string[] = []
  let [i, j] = [0, 0]
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      edits.push(`  ${left[i++]}`)
      j++
    } else if (j >= right.length || (i < left.length && at(lengths, i + 1, j) >= at(lengths, i, j + 1))) {
      edits.push(`- ${left[i++]}`)
    } else edits.push(`+ ${right[j++]}`)
  }
  const isNear = (index: number): boolean =>
    edits.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some((edit) => !edit.startsWith('  '))
  return edits.filter((_, index) => isNear(index))
}

const at = (lengths: readonly (readonly number[])[], i: number, j: number): number => lengths[i]?.[j] ?? 0

/** For each pair of places the length of the longest common rest. */
function commonLengths(left: readonly string[], right: readonly string[]): number[][] {
  const lengths = Array.from({ length: left.length + 1 }, () => new Array<number>(right.length + 1).fill(0))
  for (let i = left.length - 1; i >= 0; i--) {
    const row = lengths[i] as number[]
    for (let j = right.length - 1; j >= 0; j--) {
      const longer = Math.max(at(lengths, i + 1, j), at(lengths, i, j + 1))
      row[j] = left[i] === right[j] ? at(lengths, i + 1, j + 1) + 1 : longer
    }
  }
  return lengths
}
