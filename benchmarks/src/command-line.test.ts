import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OptionTable } from './command.ts'
import { commandLineOf } from './command-line.ts'

const table: OptionTable = {
  window: { kind: 'integers', min: 1, default: [1024], help: '' },
  seconds: { kind: 'number', min: 0, default: 5, help: '' },
  rate: { kind: 'integer', min: 1, help: '' },
  machine: { kind: 'choice', choices: ['kv', 'log'], default: 'kv', help: '' },
  rig: { kind: 'flag', help: '' },
  html: { kind: 'text', placeholder: 'FILE', help: '' },
}
const defaults = { window: [1024], seconds: 5, rate: undefined, machine: 'kv', rig: false, html: undefined }

test('what is at its default is left out', () => {
  assert.equal(commandLineOf('bench check perf', table, defaults), 'pnpm troupe bench check perf')
})

test('everything else stands in the order of the options, so that a shell takes it as it was', () => {
  const given = { html: "it's here.html", rig: true, rate: 7, machine: 'log', window: [1, 64], seconds: 5 }
  assert.equal(
    commandLineOf('bench throughput', table, given),
    `pnpm troupe bench throughput --window 1,64 --rate 7 --machine log --rig --html 'it'\\''s here.html'`,
  )
})
