/** `troupe queue stats|peek|pause|resume|redrive|purge`. */
import {
  type GroupStats,
  type PeekedMessage,
  type QueueMessage,
  type QueueStats,
  queueCommands,
  queueQueries,
} from '@troupe/machines'
import { codec } from '@troupe/wire'
import { aligned, counted } from '../output.ts'
import type { QueueAccess } from './access.ts'
import { queueCommand } from './command.ts'

const group = {
  kind: 'text',
  placeholder: 'NAME',
  otherwise: 'that of consumers which name none',
  help: 'the group',
} as const
const list = {
  kind: 'choice',
  choices: ['ready', 'delayed', 'dead'],
  default: 'ready',
  help: 'which messages',
} as const

export const statsCommand = queueCommand({
  word: 'stats',
  summary: 'shows how many messages wait, are held, delayed and dead, and what became of the others',
  options: {},
  async run(queue) {
    const document = await queue.query<QueueStats>(queueQueries.stats(queue.name))
    return { document, text: statsText(document) }
  },
})

const COLUMNS = ['ready', 'delayed', 'lined', 'active', 'dead', 'consumers'] as const
const COUNTERS = ['delivered', 'acked', 'failed', 'lost', 'died', 'expired', 'removed'] as const

function statsText({ isPaused, messages, bytes, sent, duplicates, groups }: QueueStats): string {
  const state = isPaused ? 'paused' : 'open'
  const head = `${state}; ${counted(messages)} messages, ${counted(bytes)} bytes; ${counted(sent)} sent, ${counted(duplicates)} duplicates`
  const table = (columns: readonly (keyof GroupStats)[]): string =>
    aligned(
      [
        ['group', ...columns],
        ...groups.map((each) => [
          each.group === '' ? '(none)' : each.group,
          ...columns.map((column) => counted(each[column] as number)),
        ]),
      ],
      columns.map((_, at) => at + 1),
    )
  return `${head}\n\n${table(COLUMNS)}\n${table(COUNTERS)}`
}

export const peekCommand = queueCommand({
  word: 'peek',
  summary: 'shows messages without taking them',
  options: {
    list,
    count: { kind: 'integer', min: 1, max: 10_000, default: 10, help: 'how many at most' },
    group,
  },
  async run(queue, { list: waiting, count, group: of = '' }) {
    const found = await queue.query<PeekedMessage[]>(queueQueries.peek(queue.name, of, waiting, count))
    const document = found.map(({ message, ...rest }) => {
      const parts = codec.decode(message) as QueueMessage
      const [data, id, key] = parts
      return { ...rest, id: id ?? undefined, key: key ?? undefined, headers: parts[8] ?? undefined, data }
    })
    return { document, text: document.map((each) => `${JSON.stringify(each)}\n`).join('') }
  },
})

const simple = (
  word: string,
  summary: string,
  done: string,
  command: (queue: QueueAccess) => unknown,
): ReturnType<typeof queueCommand> =>
  queueCommand({
    word,
    summary,
    options: {},
    async run(queue) {
      await queue.propose(command(queue))
      return { document: { queue: queue.name, done }, text: `${done}\n` }
    },
  })

export const pauseCommand = simple('pause', 'delivers nothing more', 'paused', ({ name }) =>
  queueCommands.pause(name),
)
export const resumeCommand = simple('resume', 'delivers again', 'resumed', ({ name }) =>
  queueCommands.resume(name),
)

export const redriveCommand = queueCommand({
  word: 'redrive',
  summary: 'makes dead messages ready again',
  options: { group },
  async run(queue, { group: of = '' }) {
    const redriven = await queue.redrive(of)
    return { document: { redriven }, text: `${counted(redriven)} redriven\n` }
  },
})

export const purgeCommand = queueCommand({
  word: 'purge',
  summary: 'removes messages that wait',
  options: { list, group },
  async run(queue, { list: waiting, group: of = '' }) {
    const removed = await queue.purge(waiting, of)
    return { document: { removed }, text: `${counted(removed)} removed\n` }
  },
})
