/** `troupe queue send`: puts messages into a queue. */
import type { OptionValues } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import { checkBoundedFile, readBoundedText } from '@troupe/lab/bounded-file'
import type { OutgoingOptions, Receipt } from '@troupe/queue'
import { counted } from '../output.ts'
import { backoffOf, backoffOption } from './backoff.ts'
import { queueCommand } from './command.ts'

const options = {
  data: { kind: 'text', placeholder: 'JSON', help: 'what the message says' },
  file: { kind: 'text', placeholder: 'FILE', help: "a message in each line, as JSON; '-' for stdin" },
  id: { kind: 'text', placeholder: 'ID', help: 'a second message of the same id is a duplicate' },
  key: { kind: 'text', placeholder: 'KEY', help: 'messages of one key are delivered one after the other' },
  header: { kind: 'texts', placeholder: 'K=V', help: 'beside the data; as often as there are headers' },
  delay: { kind: 'integer', min: 0, unit: 'ms', help: 'not delivered before' },
  at: {
    kind: 'text',
    placeholder: 'TIME',
    help: "not delivered before, by this machine's clock: 2030-01-31T08:00:00Z, or milliseconds since 1970",
  },
  ttl: { kind: 'integer', min: 1, unit: 'ms', help: 'dropped if it is not delivered by then' },
  priority: { kind: 'integer', min: 0, max: 9, help: '0 is the most urgent, 5 that of other messages' },
  attempts: { kind: 'integer', min: 1, max: 255, help: 'failures after which it is dead' },
  backoff: backoffOption,
  'when-full': {
    kind: 'choice',
    choices: ['refuse', 'wait'],
    default: 'refuse',
    help: 'what becomes of it where the queue has no room',
  },
} as const

/** Messages of one command. */
const BATCH = 100

type Sending = OptionValues<typeof options>

export const sendCommand = queueCommand({
  word: 'send',
  summary: 'sends messages; makes the queue where it is not there',
  options,
  mayMake: true,
  check(values) {
    checkBodies(values)
    messageOptions(values)
  },
  async run(queue, values) {
    const options = messageOptions(values)
    const messages = bodiesOf(values).map((data) => ({ ...options, data }))
    await queue.make()
    const receipts: Receipt[] = []
    for (let at = 0; at < messages.length; at += BATCH)
      receipts.push(...(await queue.send(messages.slice(at, at + BATCH), values['when-full'])))
    const duplicates = receipts.filter(({ duplicate }) => duplicate).length
    const positions = receipts.map(({ position }) => position)
    const document = { sent: receipts.length - duplicates, duplicates, positions }
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

/** @throws RaftError INVALID_OPTIONS */
function messageOptions(values: Sending): OutgoingOptions {
  const { id, key, header, delay, at, ttl, priority, attempts, backoff } = values
  if (at !== undefined && delay !== undefined)
    throw invalidOption('--at', at, 'nothing with --delay: both say when')
  return {
    ...(id === undefined ? {} : { id }),
    ...(key === undefined ? {} : { key }),
    ...(header.length === 0 ? {} : { headers: Object.fromEntries(header.map(headerOf)) }),
    ...(delay === undefined ? {} : { delayMs: delay }),
    ...(at === undefined ? {} : { at: timeOf(at) }),
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
    ...(priority === undefined ? {} : { priority }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(backoff === undefined ? {} : { backoff: backoffOf(backoff) }),
  }
}

function headerOf(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=')
  if (at < 1) throw invalidOption('--header', text, 'a name and its value, as K=V')
  return [text.slice(0, at), text.slice(at + 1)]
}

function timeOf(text: string): number {
  const timeMs = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isNaN(timeMs))
    throw invalidOption('--at', text, 'a time as 2030-01-31T08:00:00Z, or milliseconds since 1970')
  return timeMs
}
