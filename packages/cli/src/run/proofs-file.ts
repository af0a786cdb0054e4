/** What broke each scenario: a file to add to, and the same for people. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { markdownTable } from '../output.ts'

/** Whether a scenario is broken by something that has to break it. */
export interface Proof {
  readonly file: string
  readonly name: string
  /** The bug on purpose; undefined where it is options. */
  readonly slip: string | undefined
  readonly isProven: boolean
  /** How it broke. */
  readonly how: string
  /** Runs until the first that failed, with it; all of them where none did. */
  readonly runs: number
}

const heads = ['scenario', 'broken by', 'how', 'runs']

export const rowOf = ({ name, slip, how, runs }: Proof): string[] => [name, slip ?? 'options', how, `${runs}`]

export const tableOf = (proofs: readonly Proof[]): string[][] => [heads, ...proofs.map(rowOf)]

export const inOrder = (proofs: readonly Proof[]): Proof[] =>
  proofs.toSorted(
    (left, right) =>
      left.file.localeCompare(right.file) ||
      left.name.localeCompare(right.name) ||
      (left.slip ?? '').localeCompare(right.slip ?? ''),
  )

/** Writes the table, with what it said before of other files, which stands beside it as JSON. */
export function keepProofs(table: string, proofs: readonly Proof[]): void {
  const path = table.replace(/(\.md)?$/, '.json')
  const now = proofs.map((proof) => ({ ...proof, file: basename(proof.file) }))
  const files = new Set(now.map(({ file }) => file))
  const all = inOrder([...proofsIn(path).filter(({ file }) => !files.has(file)), ...now])
  writeFileSync(path, `${JSON.stringify(all, undefined, 2)}\n`)
  writeFileSync(table, document(all))
}

const proofsIn = (path: string): readonly Proof[] =>
  existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as readonly Proof[]) : []

/** Those of the repository; none where there is no such file. */
export const keptProofs = (): readonly Proof[] =>
  proofsIn(fileURLToPath(new URL('../../../../docs/scenario-proofs.json', import.meta.url)))

const document = (proofs: readonly Proof[]): string =>
  [
    '# What breaks each scenario',
    '',
    'Written by `pnpm troupe run test/scenarios --prove --table docs/scenario-proofs.md`: each scenario is run with the bugs on',
    'purpose, or the options, that its `proof` names, until it fails. With options a scenario that shows nothing any more, since its',
    'trap is out of reach, is broken too. `runs` counts them, with the one that failed. With some files alone the rows of the',
    'others stay as they are. Scenarios that do not run in the simulator: the same with `--engine tcp`, on real nodes.',
    '',
    markdownTable(tableOf(proofs)),
    '',
  ].join('\n')
