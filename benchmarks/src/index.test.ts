import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commands, soakCommand } from './index.ts'

test('a command is listed under its own name', async () => {
  for (const { name, load } of [...commands, soakCommand]) assert.equal((await load()).name, name)
})
