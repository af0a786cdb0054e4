/**
 * What a user gets: packs the packages as they are published, installs the tarballs in a project of its own, and
 * there typechecks and runs a small program. Finds what the monorepo hides: a missing file or dependency, an
 * export that only exists as source, a worker that does not start from `dist`.
 *
 * Needs npm, and a registry or npm's cache for the dependencies. pnpm packs, because it alone knows `workspace:*`
 * and `publishConfig`: the one that runs the tests, else npx fetches one.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = [process.execPath, join(root, 'node_modules/typescript/bin/tsc')]

const coreProgram = `
import { invalidOption, RaftError } from '@troupe/core'

const error: RaftError<'INVALID_OPTIONS'> = invalidOption('nodes', 0, 'a positive integer')
if (!RaftError.is(error, 'INVALID_OPTIONS')) throw new Error('not a RaftError')
console.log(error.data.field)
`

const clusterProgram = `
import { Cluster } from '@troupe/cluster'
import { kv } from '@troupe/machines'

await using cluster = await Cluster.start({ nodes: 3, machine: 'kv' })
await using client = await cluster.client()
await client.propose(kv.set('a', '1'))
console.log(await client.query(kv.get('a')))
`

// The core is one of those that the cluster depends on.
before(() => build(['packages/cluster']))

test('@troupe/core installs alone, without any dependency', async (t) => {
  const directory = await temporaryDirectory(t)
  const output = await consume(directory, ['packages/core'], coreProgram)
  assert.equal(output, 'nodes\n')
  const installed = await readdir(join(directory, 'consumer/node_modules/@troupe'))
  assert.deepEqual(installed, ['core'])
})

test('an installed cluster starts, commits and answers', async (t) => {
  const directory = await temporaryDirectory(t)
  const folders = await closure('packages/cluster')
  const output = await consume(directory, folders, clusterProgram)
  assert.match(output, /\b1\b/)
})

/** Removed after the test. */
async function temporaryDirectory(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'troupe-packing-')))
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }))
  return directory
}

/** The folders of a package and of all it depends on in this repository. */
async function closure(folder: string, seen = new Set<string>()): Promise<string[]> {
  if (seen.has(folder)) return []
  seen.add(folder)
  const manifest: { dependencies?: Record<string, string> } = JSON.parse(
    await readFile(join(root, folder, 'package.json'), 'utf8'),
  )
  const names = Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith('@troupe/'))
  for (const name of names) await closure(`packages/${basename(name)}`, seen)
  return [...seen]
}

/** Emits dist/ of these packages and all they depend on, anew: a stale file must not be packed. */
async function build(folders: readonly string[]): Promise<void> {
  for (const folder of (await Promise.all(folders.map((each) => closure(each)))).flat()) {
    await rm(join(root, folder, 'dist'), { recursive: true, force: true })
  }
  await run(root, [...tsc, '-b', ...folders])
}

/** Packs, installs, typechecks and runs; gives what the program wrote to stdout. */
async function consume(directory: string, folders: readonly string[], program: string): Promise<string> {
  const tarballs = join(directory, 'tarballs')
  await mkdir(tarballs)
  const pack = (folder: string) =>
    run(join(root, folder), [...pnpm(), 'pack', '--pack-destination', tarballs])
  await Promise.all(folders.map(pack))
  const dependencies: Record<string, string> = {}
  for (const tarball of await readdir(tarballs)) {
    const name = /^troupe-(.+)-\d+\.\d+\.\d+.*\.tgz$/.exec(tarball)?.[1]
    assert.ok(name, `unexpected tarball ${tarball}`)
    dependencies[`@troupe/${name}`] = `file:${join(tarballs, tarball)}`
  }
  const consumer = join(directory, 'consumer')
  await mkdir(consumer)
  const json = (value: unknown): string => JSON.stringify(value, null, 2)
  await writeFile(join(consumer, 'package.json'), json({ private: true, type: 'module', dependencies }))
  await writeFile(join(consumer, 'tsconfig.json'), json(consumerConfig))
  await writeFile(join(consumer, 'main.ts'), program)
  // Prebuilt binaries come as optional dependencies: no script has to run.
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  await run(consumer, ['npm', 'install', ...flags])
  await run(consumer, [...tsc, '-p', '.'])
  return run(consumer, [process.execPath, 'main.ts'], { TMPDIR: directory })
}

const consumerConfig = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  },
  files: ['main.ts'],
}

/** The pnpm that runs this test, a script or a program of its own; else one that npx fetches. */
function pnpm(): string[] {
  const path = process.env.npm_execpath ?? ''
  if (!basename(path).startsWith('pnpm')) return ['npx', '-y', 'pnpm']
  return /\.[cm]?js$/.test(path) ? [process.execPath, path] : [path]
}

/** Runs a command; rejects with all its output when it fails. */
async function run(
  cwd: string,
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const [file = '', ...args] = command
  const child = spawn(file, args, {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  assert.equal(code, 0, `${command.join(' ')} in ${cwd} ended with ${code}\n${stdout}\n${stderr}`)
  return stdout
}

/** What an outer npm, pnpm or test run says of this repository must not reach what is installed elsewhere. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const isOuter =
    /^npm_(?:package_|lifecycle_|command$|config_(?:\w*prefix|globalconfig)$)|^NODE_TEST_CONTEXT$|^NODE_OPTIONS$/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOuter.test(name)))
}
