/** Files of scenarios that are wrong: each mistake is told with its place, all of them at once, and nothing is run. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { troupe } from '../in-process.fixture.ts'

const scratch = mkdtempSync(join(tmpdir(), 'troupe-scenarios-'))
after(() => rmSync(scratch, { recursive: true }))

/** `troupe run ARGS`, which has to refuse them. What it has said. */
async function refused(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await troupe('run', ...args)
  assert.equal(code, 64, stderr)
  assert.equal(stdout, '', 'nothing was run')
  return stderr
}

describe('troupe run', () => {
  const wrong = (text: string, ...more: readonly string[]) => {
    const file = join(scratch, 'wrong.yaml')
    writeFileSync(file, text)
    return refused(file, ...more)
  }

  test('tells of everything that is wrong in a file, each with its place, and runs nothing', async () => {
    const text =
      'name: a\ncluster: { voters: 3 }\nphases:\n  - wait: 5\n  - kill: { target: n1, downFr: 1s }\n'
    const lines = (await wrong(text)).trim().split('\n')
    assert.equal(lines.length, 2)
    assert.match(lines[0] as string, /wrong\.yaml:4:5: phases\[0\]\.wait is 5; expected a time with its unit/)
    assert.match(
      lines[1] as string,
      /wrong\.yaml:5:\d+: phases\[1\]\.kill\.downFr is "1s"; expected no such field/,
    )
  })

  test('tells of wrong words, units, nodes and steps that contradict each other, of all files at once', async () => {
    const folder = join(scratch, 'wrong')
    mkdirSync(folder)
    const cases: Readonly<Record<string, readonly [text: string, told: RegExp]>> = {
      field: [
        'phases: [{ wait: 1s }]\nclutser: {}\n',
        /field\.yaml:3:1: clutser is .*expected no such field/,
      ],
      unit: [
        'phases: [{ kill: { target: n1, downFor: 5 sec } }]\n',
        /unit\.yaml:2:\d+: .*downFor is "5 sec"/,
      ],
      share: ['phases: [{ network: { loss: 30 } }]\n', /share\.yaml:2:\d+: .*loss is 30/],
      node: [
        'phases: [{ kill: { target: n9 } }]\n',
        /node\.yaml:2:\d+: .*target is "n9"; expected nodes: n1, n2/,
      ],
      twice: [
        'phases:\n  - parallel:\n      - pause: { target: n1, for: 1s }\n      - kill: { target: n1 }\n',
        /twice\.yaml:5:\d+: .*expected nothing that contradicts phases\[0\]\.parallel\[0\]\.pause/,
      ],
      queue: [
        'phases: [{ abandon: { client: c1 } }]\n',
        /queue\.yaml:2:\d+: .*workload\.kind: queue with it/,
      ],
      big: [`phases: [{ wait: 1s }]\n#${'x'.repeat(5 << 20)}\n`, /big\.yaml:1:1: .*at most 4194304 bytes/],
    }
    for (const [name, [text]] of Object.entries(cases)) {
      writeFileSync(join(folder, `${name}.yaml`), `name: ${name}\n${text}`)
    }
    const stderr = await refused(folder)
    for (const [, told] of Object.values(cases)) assert.match(stderr, told)
  })

  test('refuses what sim cannot do, and bugs on purpose that there are not', async () => {
    const sound = 'name: a\nphases: [{ wait: 1s }]\n'
    assert.match(
      await wrong(`${sound}cluster: { durability: memory }\n`),
      /wrong\.yaml:3:\d+: cluster\.durability/,
    )
    assert.match(await wrong(sound, '--mutant', 'none'), /--mutant/)
  })
})
