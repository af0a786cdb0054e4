/** `troupe queue create`: makes a queue with its groups and bounds, or gives it others. */
import type { OptionValues } from '@troupe/benchmarks'
import type { QueueSettings } from '@troupe/machines'
import { backoffOf, backoffOption } from './backoff.ts'
import { queueCommand } from './command.ts'

const options = {
  groups: {
    kind: 'text',
    placeholder: 'NAME,…',
    otherwise: 'one, of consumers which name none',
    help: 'groups that each see every message; an empty name is that of consumers which name none',
  },
  'max-messages': { kind: 'integer', min: 1, help: 'that may be there; beyond, sends are refused or wait' },
  'max-bytes': { kind: 'integer', min: 1, help: 'the same in bytes' },
  attempts: { kind: 'integer', min: 1, max: 255, help: 'failures after which a message is dead' },
  backoff: backoffOption,
  'max-losses': { kind: 'integer', min: 1, max: 255, help: 'lost leases after which a message is dead' },
  rate: { kind: 'integer', min: 0, help: 'deliveries within each window of --rate-per; 0 for no limit' },
  'rate-per': { kind: 'integer', min: 1, unit: 'ms', help: 'the length of that window' },
} as const

export const createCommand = queueCommand({
  word: 'create',
  summary: 'makes a queue, or gives it other settings; what is not given stays as it is',
  options,
  mayMake: true,
  check(values) {
    settingsOf(values)
  },
  async run(queue, values) {
    const settings = settingsOf(values)
    await queue.create(settings)
    const document = { queue: queue.name, settings }
    return { document, text: `${queue.name} is there\n` }
  },
})

function settingsOf(values: OptionValues<typeof options>): Partial<QueueSettings> {
  const [backoff, backoffMs, maxBackoffMs] = values.backoff === undefined ? [] : backoffOf(values.backoff)
  const given = {
    ...{ backoff, backoffMs, maxBackoffMs },
    groups: values.groups?.split(','),
    maxMessages: values['max-messages'],
    maxBytes: values['max-bytes'],
    attempts: values.attempts,
    maxLosses: values['max-losses'],
    rateMax: values.rate,
    ratePerMs: values['rate-per'],
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}
