/** `troupe queue send`: puts messages into a queue. */
import { invalidOption } from '@troupe/core'
import { checkBoundedFile, readBoundedText } from '@troupe/lab'
import { type MessageOptions, queueCommands } from '@troupe/machines'
import { counted } from '../output.ts'
import { queueCommand } from './command.ts'

const options = {
  data: { kind: 'text', placeholder: 'JSON', help: 'what the message says' },
  file: { kind: 'text', placeholder: 'FILE', help: "a message in each line, as JSON; '-' for stdin" },
  id: { kind: 'text', placeholder: 'ID', help: 'a second message of the same id is a duplicate' },
  key: { kind: 'text', placeholder: 'KEY', help: 'messages of one key are delivered one after the other' },
  delay: { kind: 'integer', min: 0, unit: 'ms', help: 'not delivered before' },
  ttl: { kind: 'integer', min: 1, unit: 'ms', help: 'dropped if it is not delivered by then' },
  priority: { kind: 'integer', min: 0, max: 9, help: '0 is the most urgent, 5 that of other messages' },
  attempts: { kind: 'integer', min: 1, max: 255, help: 'failures after which it is dead' },
} as const

/** Messages of one command. */
const BATCH = 100

interface Sending {
  readonly data: string | undefined
  readonly file: string | undefined
  readonly id: string | undefined
  readonly key: string | undefined
  readonly delay: number | undefined
  readonly ttl: number | undefined
  readonly priority: number | undefined
  readonly attempts: number | undefined
}

export const sendCommand = queueCommand({
  word: 'send',
  summary: 'sends messages; makes the queue where it is not there',
  options,
  mayMake: true,
  check: checkBodies,
  async run(queue, values) {
    const bodies = bodiesOf(values)
    await queue.make()
    const positions: number[] = []
    for (let at = 0; at < bodies.length; at += BATCH) {
      const batch = bodies.slice(at, at + BATCH)
      const messages = batch.map((body) => queueCommands.message(body, messageOptions(values)))
      const result = await queue.propose<number | number[]>(queueCommands.send(queue.name, messages))
      positions.push(...(typeof result === 'number' ? batch.map((_, offset) => result + offset) : result))
    }
    const duplicates = positions.filter((position) => position < 0).length
    const document = { sent: positions.length - duplicates, duplicates, positions: positions.map(Math.abs) }
    const more = duplicates === 0 ? '' : `, ${counted(duplicates)} were there before`
    return { document, text: `sent ${counted(document.sent)}${more}\n` }
  },
})

function checkBodies({ data, file, id }: Sending): void {
  if ((data === undefined) === (file === undefined))
    throw invalidOption('--data', data, 'a message as JSON, or --file with one in each line')
  if (data !== undefined) parsed('--data', data)
  if (file !== undefined && file !== '-') checkBoundedFile(file, '--file')
  if (file !== undefined && id !== undefined)
    throw invalidOption('--id', id, 'nothing with --file: an id is of one message')
}

function bodiesOf({ data, file }: Sending): unknown[] {
  if (data !== undefined) return [parsed('--data', data)]
  const lines = readBoundedText(file === '-' ? 0 : (file as string), '--file').split('\n')
  return lines.flatMap((line, at) => (line.trim() === '' ? [] : [parsed(`line ${at + 1}`, line)]))
}

function parsed(where: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidOption(where, text.slice(0, 40), 'JSON: a text stands between quotes')
  }
}

function messageOptions({ id, key, delay, ttl, priority, attempts }: Sending): MessageOptions {
  return {
    ...(id === undefined ? {} : { id }),
    ...(key === undefined ? {} : { key }),
    ...(delay === undefined ? {} : { delayMs: delay }),
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
    ...(priority === undefined ? {} : { priority }),
    ...(attempts === undefined ? {} : { attempts }),
  }
}
