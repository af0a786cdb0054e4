/**
 * The laws of the house (DESIGN law 11), read off the source tree: who imports whom, what stays pure, how long
 * things get. What each package may do stands in laws/table.ts. Below them, tests that the checker sees what
 * it should: trees made of strings.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { check, show, type Violation } from './laws/check.ts'
import { findCycles } from './laws/cycles.ts'
import { brokenLinks } from './laws/links.ts'
import { readSource } from './laws/source.ts'
import { machinePath } from './laws/table.ts'
import { isThere, readGitLog, readRatchet, readTree } from './laws/tree.ts'

const rules = {
  edges: 'a package depends only on the packages below it',
  imports: 'a file imports only what its package may, by the front door',
  purity: 'pure packages use no clock, chance, timer, promise or output',
  cycles: 'no files import each other in a circle',
  length: 'functions and files stay short',
  unfinished: 'no comment marks unfinished work',
  muted: 'no test is switched off without a reason',
  paths: 'no file names a path of one machine',
  syntax: 'every source file parses',
}

describe('the laws', () => {
  const violations = check(readTree(), readRatchet())
  for (const [rule, sentence] of Object.entries(rules)) {
    it(sentence, () => {
      const found = violations.filter((violation) => violation.rule === rule).map(show)
      assert.ok(found.length === 0, `${found.length} violations\n${found.join('\n')}`)
    })
  }

  it('nothing that goes into production knows of mutants', () => {
    const found = [...readTree()].filter(([path, text]) => {
      const isSource = /^packages\/[^/]+\/src\/.*(?<!\.test)\.ts$/.test(path)
      return isSource && !/^packages\/(?:sim|cli)\//.test(path) && /mutant/i.test(text)
    })
    assert.deepEqual(
      found.map(([path]) => path),
      [],
    )
  })

  it('pages link to what is there', () => {
    assert.deepEqual(brokenLinks(readTree(), isThere), [])
  })

  it('no commit message names a path of one machine', () => {
    const found = readGitLog()
      ?.split('\n')
      .find((line) => machinePath.test(line))
    assert.equal(found, undefined)
  })
})

const noRatchet = { functions: {}, files: {} }
const manifest = (name: string, dependencies = {}): string =>
  JSON.stringify({ name: `@troupe/${name}`, dependencies, exports: { '.': './src/index.ts' } })
const base = {
  'packages/core/package.json': manifest('core'),
  'packages/machines/package.json': manifest('machines', { '@troupe/core': 'workspace:*' }),
  'packages/store/package.json': manifest('store', { '@troupe/core': 'workspace:*', lmdb: '1' }),
}

/** Checks a small tree and gives `rule path:line` of what it finds. */
function found(files: Record<string, string>, ratchet = noRatchet): string[] {
  const brief = ({ rule, path, line }: Violation): string => `${rule} ${path}:${line}`
  return check(new Map(Object.entries({ ...base, ...files })), ratchet).map(brief)
}

/** Findings for one file of the package `folder`. */
function foundIn(folder: string, text: string): string[] {
  return found({ [`packages/${folder}/src/a.ts`]: text }).map((line) => line.replace(/ .*:/, ':'))
}

describe('the law checker', () => {
  it('finds links that lead nowhere', () => {
    const files = new Map([
      ['docs/a.md', '[b](b.md) [c](../c.md#top) [d](https://d) [e](e.md)'],
      ['docs/b.md', 'see docs/adr/0001 and docs/adr/0002'],
      ['docs/adr/0001-first.md', ''],
      ['c.md', ''],
    ])
    const broken = brokenLinks(files, (path) => files.has(path))
    assert.deepEqual(broken, ['docs/a.md: e.md', 'docs/b.md: docs/adr/0002'])
  })

  it('accepts what is allowed', () => {
    assert.deepEqual(
      foundIn('machines', "import { RaftCore } from '@troupe/core'\nexport { RaftCore }\n"),
      [],
    )
    assert.deepEqual(
      foundIn('store', "import { readFileSync } from 'node:fs'\nimport { open } from 'lmdb'\n"),
      [],
    )
    assert.deepEqual(
      found({ 'packages/core/src/a.test.ts': "import fc from 'fast-check'\nimport 'node:test'\n" }),
      [],
    )
  })

  it('finds imports that a package must not have', () => {
    for (const line of [
      "import 'node:fs'",
      "import fs from 'fs'",
      "import type { Stats } from 'node:fs'",
      "export * from 'lodash'",
      "const x = import('@troupe/store')",
      "type X = import('@troupe/store').X",
      "import '../../store/src/a.ts'",
      "import './a.test.ts'",
      "import '@troupe/core/src/entry.ts'",
    ]) {
      assert.deepEqual(foundIn('machines', `\n${line}\n`), ['imports:2'], line)
    }
    assert.deepEqual(foundIn('store', "import 'node:worker_threads'"), ['imports:1'])
    const worker = "new Worker(new URL('./worker.ts', import.meta.url))"
    assert.deepEqual(foundIn('store', worker), ['imports:1'])
  })

  it('finds imports and dependencies that do not match', () => {
    const files = {
      'packages/machines/package.json': manifest('machines', { '@troupe/store': 'workspace:*' }),
      'packages/machines/src/a.ts': "import '@troupe/core'",
    }
    assert.deepEqual(found(files), [
      'edges packages/machines/package.json:1',
      'imports packages/machines/src/a.ts:1',
    ])
    assert.deepEqual(found({ 'packages/new/package.json': manifest('new') }), [
      'edges packages/new/package.json:1',
    ])
  })

  it('finds what is not pure', () => {
    for (const line of [
      'Date.now()',
      'const at = new Date()',
      'Math.random()',
      'setTimeout(() => {}, 1)',
      'queueMicrotask(f)',
      'const { now } = performance',
      'console.log(1)',
      'const o = { process }',
      'globalThis.f()',
      'const url = import.meta.url',
      'Promise.resolve()',
      'async function f() {}',
      'const f = async () => 1',
      'await f()',
      'for await (const x of y) f(x)',
      'const x = Date as unknown',
    ]) {
      assert.deepEqual(foundIn('core', `\n${line}\n`), ['purity:2'], line)
      assert.deepEqual(foundIn('store', `\n${line}\n`), [], line)
    }
  })

  it('knows a name from a global, and a type from a value', () => {
    for (const line of [
      'const f = (a: { Date: number }): number => a.Date',
      'const o = { process: 1, setTimeout() {} }',
      'interface Port { close(): Promise<void> }',
      'function f(performance: number) { return performance }',
      'class A { console = 1 }',
      "const text = 'Date.now()' // Math.random()",
    ]) {
      assert.deepEqual(foundIn('core', line), [], line)
    }
  })

  it('finds circles of imports', () => {
    const files = {
      'packages/core/src/a.ts': "import './b.ts'",
      'packages/core/src/b.ts': "import type { C } from './c.ts'",
      'packages/core/src/c.ts': "export * from './a.ts'",
    }
    assert.deepEqual(found(files), ['cycles packages/core/src/a.ts:1'])
    const diamond = { a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }
    assert.deepEqual(findCycles(new Map(Object.entries(diamond))), [])
  })

  it('finds long functions and files, but for the ratchet, which only shrinks', () => {
    const long = (lineCount: number): string => `class A {\n  f() {${'\n'.repeat(lineCount - 1)}}\n}\n`
    const path = 'packages/core/src/a.ts'
    const ratcheted = (lineCount: number): typeof noRatchet => ({
      ...noRatchet,
      functions: { [`${path}#A.f`]: lineCount },
    })
    assert.deepEqual(found({ [path]: long(60) }), [])
    assert.deepEqual(found({ [path]: long(61) }), [`length ${path}:2`])
    assert.deepEqual(found({ [path]: long(70) }, ratcheted(70)), [])
    assert.deepEqual(found({ [path]: long(71) }, ratcheted(70)), [`length ${path}:2`])
    assert.deepEqual(found({ [path]: long(69) }, ratcheted(70)), ['length test/laws/ratchet.json:1'])
    assert.deepEqual(found({ [path]: '\n'.repeat(501) }), [`length ${path}:1`])
  })

  it('names functions by where they stand', () => {
    const text = 'const f = () => { g(() => 1) }\nclass A { #x() {} y = () => 2; get z() { return 3 } }\n'
    const names = readSource('a.ts', text).functions.map(({ name }) => name)
    assert.deepEqual(names, ['f', 'f.anonymous', 'A.#x', 'A.y', 'A.z'])
  })

  it('finds unfinished work, muted tests, machine paths and broken syntax', () => {
    assert.deepEqual(foundIn('core', `/**\n * ${'TO'}${'DO'}: later\n */\n`), ['unfinished:2'])
    assert.deepEqual(foundIn('core', "it.only('x', f)\ntest.skip('y', f)\nt.skip()"), [
      'muted:1',
      'muted:2',
      'muted:3',
    ])
    assert.deepEqual(foundIn('core', "test('x', { skip: true }, f)"), ['muted:1'])
    assert.deepEqual(foundIn('core', "test('x', { skip: 'needs a disk' }, f)\nt.skip('no disk')"), [])
    assert.deepEqual(found({ 'docs/a.md': `\nsee ${'/wo'}rk/main\n` }), ['paths docs/a.md:2'])
    assert.deepEqual(found({ 'docs/a.md': 'see https://host/root/x, ./work/x and docs/work/\n' }), [])
    assert.deepEqual(foundIn('core', 'const = 1'), ['syntax:1'])
  })
})
