/**
 * `pnpm verify`: everything that must hold before a commit, in the order of cost. Writes nothing.
 *
 *     pnpm verify          format and lint, typecheck, tests
 *     pnpm verify --full   the same with the full-size tests (TROUPE_FULL=1)
 *
 * The first failing step ends it, with that step's exit code.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const flags = process.argv.slice(2)
const unknown = flags.find((flag) => flag !== '--full')
if (unknown !== undefined) {
  process.stderr.write(`verify: unknown argument ${unknown}; expected --full or nothing\n`)
  process.exit(64)
}

/** Commands come from node_modules/.bin, which pnpm puts first in PATH. */
const steps = [
  { name: 'format and lint', command: 'biome', args: ['check'] },
  { name: 'typecheck', command: 'tsc', args: ['-p', 'tsconfig.json'] },
  { name: 'typecheck of pages', command: 'tsc', args: ['-p', 'packages/page/src/browser'] },
  { name: 'tests', command: process.execPath, args: ['test/run.ts', ...flags] },
]

for (const { name, command, args } of steps) {
  process.stdout.write(`── ${name}\n`)
  const started = performance.now()
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32' && command !== process.execPath,
  })
  if (error !== undefined) process.stderr.write(`${command}: ${error.message}\n`)
  const outcome = status === 0 ? 'ok' : 'FAILED'
  process.stdout.write(`── ${name}: ${outcome} in ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
  if (status !== 0) process.exit(status ?? 1)
}
