/** The inside of a node's process that a {@link NodeChild} has started. */
import { hrtimeMs } from '@troupe/actor'
import { invariant, RaftError } from '@troupe/core'
import type { NodeOptions } from '../node-options.ts'
import { NodeProcess, type NodeProcessHooks } from '../node-process.ts'
import type { Calls, CommonCalls, NodeNews, NodeOrder } from './child-protocol.ts'

/** Answers to the questions in `Asked`, but for the common ones. */
export type Handlers<Asked extends Calls<Asked>> = {
  readonly [Name in Exclude<keyof Asked, keyof CommonCalls>]: (
    ask: Asked[Name]['ask'],
  ) => Promise<Asked[Name]['answer']>
}

/** What a parent's own program adds to a node. */
export interface NodeChildProgram<Asked extends Calls<Asked>> {
  readonly hooks?: Omit<NodeProcessHooks, 'fail' | 'signal'> | undefined
  readonly handlers: (node: NodeProcess) => Handlers<Asked>
}

type Answer = (ask: never) => Promise<unknown>

const tell = (news: NodeNews): void => {
  // Where its parent has gone this process ends too.
  if (process.connected) process.send?.(news, () => {})
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Runs `NodeProcess`, as `troupe node` does, that tells its parent what happens and answers it; it ends with its parent.
 * To be called once, at the top level of its module.
 * @param program made of the words that the parent has given beside the node's options
 */
export async function runNodeChild<Asked extends Calls<Asked>>(
  program: (words: readonly string[]) => NodeChildProgram<Asked>,
): Promise<void> {
  const [text, ...words] = process.argv.slice(2)
  invariant(text !== undefined && process.send !== undefined, 'the process of a node is started by NodeChild')
  // Ctrl-C reaches it too: its parent ends it.
  process.on('SIGINT', () => {})
  process.once('disconnect', () => process.exit(3))
  try {
    const { hooks, handlers } = program(words)
    const logger: NodeOptions['logger'] = (level, event, detail) => {
      if (level !== 'debug') tell({ kind: 'log', level, event, detail, atMs: hrtimeMs() })
    }
    const node = await NodeProcess.start({ ...JSON.parse(text), logger }, { ...hooks, fail: die })
    const answers = { ...commonHandlers(node), ...handlers(node) }
    process.on('message', (order: NodeOrder) => void serve(node, answers, order))
    tell({ kind: 'started' })
    void node.ended.then(() => process.exit(0))
  } catch (error) {
    die(error)
  }
}

const commonHandlers = (node: NodeProcess): Readonly<Record<keyof CommonCalls, Answer>> => ({
  status: () => node.status(),
  digest: () => node.digest(),
  command: ({ command, timeoutMs }: CommonCalls['command']['ask']) => node.command(command, timeoutMs),
})

async function serve(
  node: NodeProcess,
  answers: Readonly<Record<PropertyKey, Answer>>,
  order: NodeOrder,
): Promise<void> {
  if (order.kind === 'stop') return node.stop()
  const { id, name, ask } = order.call
  try {
    const answer = answers[name]
    invariant(answer !== undefined, `a node is asked what it knows: ${String(name)}`)
    tell({ kind: 'answer', id, value: await answer(ask as never) })
  } catch (error) {
    tell({ kind: 'refused', id, code: codeOf(error), reason: reasonOf(error) })
  }
}

const codeOf = (error: unknown): string => (error instanceof RaftError ? error.code : 'unknown')

function die(error: unknown): never {
  const code = codeOf(error)
  // Into the file that has what it writes: the reason alone does not say where.
  if (error instanceof Error && code === 'unknown') process.stderr.write(`${error.stack}\n`)
  tell({ kind: 'failed', code, reason: reasonOf(error) })
  process.exit(1)
}
