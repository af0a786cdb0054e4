/**
 * The scenarios of the suite that name an engine with real nodes, all of them. What chance has to do with is given more chances,
 * each told; what is still not shown then is no pass.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { TroupeCommand } from './troupe-command.ts'

export const suite = fileURLToPath(new URL('scenarios', import.meta.url))

/** So often a scenario is run again that shows nothing: its trap was not reached that time, or a busy machine was in its way. */
const MORE_CHANCES = 2
const SEEDS_APART = 1000

interface Judged {
  readonly file: string
  readonly name: string
  readonly engine: string
  readonly verdict: 'pass' | 'fail' | 'unknown'
  readonly asserted: readonly { readonly verdict: string; readonly text: string }[]
}

export interface Demands {
  readonly engine: 'threads' | 'tcp'
  /** A file or a folder. @default the suite */
  readonly files?: string
  /** So many files have to pass. */
  readonly least: number
  /** Names of cases that may show nothing in the end, and why: by chance alone. None may fail. */
  readonly byChance: Readonly<Record<string, string>>
}

/** Runs them. Fails where one does, where one shows nothing that is not among the few that may, or where too few pass. */
export async function assertSuitePasses(
  t: TestContext,
  command: TroupeCommand,
  { engine, files = suite, least, byChance }: Demands,
): Promise<void> {
  let open = await judged(command, engine, files)
  const passed = new Set<string>()
  for (let chance = 0; ; chance++) {
    for (const one of open) if (one.verdict === 'pass') passed.add(one.file)
    open = open.filter(({ verdict }) => verdict !== 'pass')
    for (const one of open) t.diagnostic(`${one.name}: ${whyOf(one)}`)
    assert.deepEqual(
      open.filter(({ verdict }) => verdict === 'fail').map((one) => `${one.name}: ${whyOf(one)}`),
      [],
    )
    if (open.length === 0 || chance === MORE_CHANCES) break
    const again: Judged[] = []
    for (const { file, name } of open) {
      const found = await judged(command, engine, file, '--from', `${1 + (chance + 1) * SEEDS_APART}`)
      again.push(...found.filter((one) => one.name === name))
    }
    open = again
  }
  assert.deepEqual(
    open.filter(({ name }) => !Object.hasOwn(byChance, name)).map((one) => `${one.name}: ${whyOf(one)}`),
    [],
    'nothing is shown of these',
  )
  assert.ok(passed.size >= least, `${passed.size} files passed, at least ${least} have to`)
}

async function judged(command: TroupeCommand, engine: string, ...what: readonly string[]): Promise<Judged[]> {
  const json = join(command.scratch, 'suite.json')
  const { code, stdout, stderr, left } = await command.run('run', ...what, '--engine', engine, '--json', json)
  assert.ok(code === 0 || code === 1 || code === 2, `${stdout}${stderr}`)
  assert.deepEqual(left, [])
  const { cases } = JSON.parse(readFileSync(json, 'utf8')) as { readonly cases: readonly Judged[] }
  assert.ok(cases.every((one) => one.engine === engine))
  return [...cases]
}

const whyOf = ({ verdict, asserted }: Judged): string =>
  asserted
    .filter((one) => one.verdict === verdict)
    .map(({ text }) => `${verdict}: ${text}`)
    .join('; ')
