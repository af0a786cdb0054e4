/**
 * The laws as data: who may import whom, and what is not written anywhere. DESIGN law 11 has them enforced here.
 * To change the architecture, change this table, in the same commit as the package.json of the package.
 */

/** What the sources of one package may import. Tests may import more: node:test, the root's devDependencies. */
export interface PackageLaw {
  /** Packages of ours, by their name without the scope. */
  readonly packages: readonly string[]
  /** Packages from npm. */
  readonly npm: readonly string[]
  /** Modules of Node: none, all, only these, or all but these. */
  readonly node:
    | 'none'
    | 'all'
    | { readonly only: readonly string[] }
    | { readonly except: readonly string[] }
  /** Whether its sources are a function of their inputs: no clock, chance, timer, promise or output. */
  readonly isPure: boolean
}

const pure = { npm: [], node: 'none', isPure: true } as const
const onNode = { npm: [], node: 'all', isPure: false } as const

/** By folder. A folder with a package.json that has no row here breaks the law. */
export const packageLaws: Readonly<Record<string, PackageLaw>> = {
  'packages/core': { ...pure, packages: [] },
  'packages/check': { ...pure, packages: [] },
  'packages/machines': { ...pure, packages: ['core'] },
  'packages/faults': { ...pure, packages: ['core'] },
  // Reports of benchmarks and of the laboratory: pages that stand alone.
  'packages/page': {
    packages: ['core'],
    npm: ['uplot'],
    node: { only: ['fs', 'module', 'perf_hooks'] },
    isPure: false,
  },
  'packages/wire': { packages: ['core'], npm: ['msgpackr'], node: { only: ['zlib'] }, isPure: false },
  // What it drives may touch zlib (wire); its own sources are as pure as the core.
  'packages/sim': { ...pure, packages: ['core', 'machines', 'wire', 'faults', 'check'] },
  'packages/actor': { ...onNode, packages: ['core'], npm: ['comlink'] },
  'packages/transport': { ...onNode, packages: ['core', 'machines', 'wire', 'actor'] },
  'packages/store': {
    packages: ['core'],
    npm: ['lmdb'],
    node: { except: ['worker_threads', 'child_process', 'cluster', 'net', 'tls', 'http'] },
    isPure: false,
  },
  'packages/cluster': {
    ...onNode,
    packages: ['core', 'machines', 'faults', 'wire', 'actor', 'transport', 'store'],
  },
  'packages/queue': { ...onNode, packages: ['core', 'machines', 'wire', 'cluster'], npm: ['piscina'] },
  'packages/lab': {
    ...onNode,
    // Real clusters are looked at with the eyes of the simulator.
    packages: ['core', 'check', 'machines', 'faults', 'page', 'sim', 'cluster'],
    npm: ['piscina', 'yaml'],
  },
  'packages/cli': {
    ...onNode,
    // `up` restarts processes as the supervisor of threads restarts workers; `ca` writes certificates.
    packages: [
      'core',
      'machines',
      'wire',
      'actor',
      'transport',
      'store',
      'cluster',
      'queue',
      'sim',
      'lab',
      'benchmarks',
    ],
    npm: ['piscina', 'yaml'],
  },
  benchmarks: {
    ...onNode,
    // The bare rig and the micro benchmarks measure the parts below the cluster; elections are measured in virtual time too.
    packages: [
      'core',
      'check',
      'machines',
      'wire',
      'actor',
      'transport',
      'store',
      'cluster',
      'queue',
      'page',
      'sim',
    ],
    npm: ['lmdb', 'tinybench', 'yaml'],
  },
  test: {
    ...onNode,
    packages: [
      'core',
      'check',
      'machines',
      'wire',
      'actor',
      'transport',
      'store',
      'cluster',
      'queue',
      'lab',
      'cli',
      'benchmarks',
    ],
    npm: ['lmdb', 'oxc-parser'],
  },
}

/** Globals that a pure package does not name (law 1). Types of these names are no use of them. */
export const impureGlobals: ReadonlySet<string> = new Set([
  'Buffer',
  'Date',
  'Intl',
  'MessageChannel',
  'Promise',
  'Temporal',
  'Worker',
  'clearImmediate',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'fetch',
  'global',
  'globalThis',
  'performance',
  'process',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
])

/** Members that a pure package does not name, although the object is fine. */
export const impureMembers: ReadonlySet<string> = new Set(['Math.random'])

/** npm packages that every test may import: devDependencies of the root. */
export const testOnlyPackages: readonly string[] = ['fast-check']

/** Longest function and longest file, in lines. Exceptions stand in ratchet.json and may only shrink. */
export const maxFunctionLines = 60
export const maxFileLines = 500

/** Words that mark unfinished work in a comment: an issue or a line in the CHANGELOG is the place. */
export const unfinishedMarker = /\b(?:TODO|FIXME|XXX)\b/

/**
 * Absolute paths of somebody's machine. A path in a URL (after a host) is none.
 * The slashes are escaped, so that this file does not break its own law.
 */
export const machinePath = /(?<![\w.~-])\/(?:work|root|home\/\w+|Users\/\w+)\//
