/** `troupe sim --seed N --step`: one event after the other, with a table of all nodes. */
import { createInterface } from 'node:readline'
import type { CommandContext } from '@troupe/benchmarks'
import { type NodeView, type PlanOptions, planOf, World } from '@troupe/sim'

/** Where keys come from. */
export interface StepInput extends NodeJS.ReadableStream {
  readonly isTTY?: boolean
}

const EXIT_CODES = { pass: 0, fail: 1 } as const
const LOG_TERMS = 12

/** Walks through a run. Without a terminal it prints every step. Resolves with the exit code. */
export async function stepThrough(
  options: PlanOptions,
  context: CommandContext,
  input: StepInput = process.stdin,
): Promise<number> {
  const lines: string[] = []
  const world = new World({ plan: planOf(options), onLine: (line) => lines.push(line) })
  const show = (): void => {
    context.stdout.write(`${lines.splice(0).join('\n')}\n${table(world)}\n`)
  }
  if (input.isTTY === true) await ask(world, lines, show, input, context)
  else while (advance(world, lines, 1)) show()
  if (lines.length > 0) show()
  return world.failure === undefined ? EXIT_CODES.pass : EXIT_CODES.fail
}

/** Enter: the next event; a number and Enter: so many; q: the end. */
async function ask(
  world: World,
  lines: string[],
  show: () => void,
  input: StepInput,
  context: CommandContext,
): Promise<void> {
  const keys = createInterface({ input, output: context.stdout as NodeJS.WritableStream, terminal: false })
  context.stdout.write('Enter: next event, a number: so many, q: end\n')
  advance(world, lines, 1)
  show()
  try {
    for await (const key of keys) {
      if (key.trim() === 'q' || context.signal.aborted) return
      const isOver = !advance(world, lines, Math.max(1, Math.floor(Number(key) || 1)))
      show()
      if (isOver) return
    }
  } finally {
    keys.close()
  }
}

/** Lets `count` things happen that are worth a line. False once the run is over. */
function advance(world: World, lines: readonly string[], count: number): boolean {
  const before = lines.length
  while (world.step()) if (lines.length - before >= count) return true
  return false
}

function table({ nodes }: World): string {
  const head = ['node', 'role', 'term', 'vote', 'votes from', 'log (terms)', 'commit', 'applied']
  const rows = nodes.map(rowOf)
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  )
  return [head, ...rows]
    .map((row) =>
      `  ${row.map((cell, column) => cell.padEnd(widths[column] as number)).join('  ')}`.trimEnd(),
    )
    .join('\n')
}

function rowOf({ id, life, disk }: NodeView): string[] {
  const { entries } = disk.log.seen
  const hidden = entries.length > LOG_TERMS ? '… ' : ''
  const log =
    hidden +
    entries
      .slice(-LOG_TERMS)
      .map(({ term }) => term)
      .join(' ')
  if (life === undefined) return [id, 'down', '', '', '', log, '', '']
  const { role, term, vote, votes, commitIndex } = life.core
  const granted = [...votes].flatMap(([voter, isGranted]) => (isGranted ? [voter] : []))
  return [id, role, `${term}`, vote, granted.join(' '), log, `${commitIndex}`, `${life.driver.applied}`]
}
