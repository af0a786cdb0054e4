/** Programs in the place of `tc`, for tests: one that writes down what it is asked for, one that has other words for netem. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FakeTc {
  readonly program: string
  /** What it was asked for since the last look, by namespace: of each call that, then its lines. */
  calls(): string[][]
  close(): void
}

/**
 * Fails at lines that fit one of these patterns of a shell, as `tc` does: with what stands behind them, and nothing more is done; `then`: what the
 * shell does with the `$lines` that are let through.
 */
export function fakeTc(refusals: Readonly<Record<string, string>> = {}, then = ''): FakeTc {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-tc-'))
  // One for each namespace: what is done in several at once is not mixed up.
  const log = `${directory}/log-$2`
  const program = join(directory, 'tc')
  const refused = Object.entries(refusals).map(
    ([pattern, text]) =>
      `case "$line" in ${pattern.replaceAll(' ', '\\ ')}) echo "Error: ${text}" >&2; exit 2;; esac`,
  )
  const read = [
    'while read -r line; do',
    `echo "$line" >>"${log}"`,
    ...refused,
    'lines="$lines$line\n"',
    'done',
  ]
  writeFileSync(program, ['#!/bin/sh', `echo "> $2" >>"${log}"`, ...read, then, ''].join('\n'))
  chmodSync(program, 0o755)
  return {
    program,
    calls: () => {
      const logs = readdirSync(directory).filter((name) => name.startsWith('log-'))
      return logs.sort().flatMap((name) => {
        const [, ...calls] = readFileSync(join(directory, name), 'utf8').split('> ')
        rmSync(join(directory, name))
        return calls.map((call) => call.trimEnd().split('\n'))
      })
    },
    close: () => rmSync(directory, { recursive: true }),
  }
}
