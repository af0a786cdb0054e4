/**
 * The laws, applied to a tree of files. Pure: files in, violations out, so that the law checker itself is tested
 * with trees made of strings (laws.test.ts).
 */

import { isBuiltin } from 'node:module'
import { posix } from 'node:path'

import { findCycles } from './cycles.ts'
import { type Finding, readSource, type SourceFacts } from './source.ts'
import {
  machinePath,
  maxFileLines,
  maxFunctionLines,
  type PackageLaw,
  packageLaws,
  testOnlyPackages,
} from './table.ts'

/** Content by path from the root of the repository, with `/`. */
export type Tree = ReadonlyMap<string, string>

/** Functions (`path#name`) and files that were too long when the law came, with their length then. */
export interface Ratchet {
  readonly functions: Readonly<Record<string, number>>
  readonly files: Readonly<Record<string, number>>
}

export interface Violation {
  readonly rule: string
  readonly path: string
  readonly line: number
  /** What is wrong, and what to do. */
  readonly message: string
}

interface Manifest {
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
  readonly exports?: Record<string, unknown>
}

/** One source file with the package it belongs to. */
interface Unit {
  readonly path: string
  readonly folder: string
  readonly law: PackageLaw
  readonly manifest: Manifest
  readonly facts: SourceFacts
  readonly isTest: boolean
}

type Report = (rule: string, path: string, line: number, message: string) => void

/** One line for people: place, rule, message. */
export function show({ rule, path, line, message }: Violation): string {
  return `${path}:${line}  [${rule}] ${message}`
}

/** Everything in `tree` that breaks a law. */
export function check(tree: Tree, ratchet: Ratchet): Violation[] {
  const violations: Violation[] = []
  const report: Report = (rule, path, line, message) => violations.push({ rule, path, line, message })
  const manifests = readManifests(tree, report)
  const units = readUnits(tree, manifests)
  for (const [folder, manifest] of manifests) checkManifest(folder, manifest, report)
  for (const unit of units) {
    checkImports(unit, manifests, report)
    checkText(unit, report)
    if (unit.law.isPure && !unit.isTest) checkPurity(unit, report)
  }
  checkCycles(units, report)
  checkLengths(units, ratchet, report)
  checkPaths(tree, report)
  return violations.sort((left, right) => left.path.localeCompare(right.path) || left.line - right.line)
}

function readManifests(tree: Tree, report: Report): Map<string, Manifest> {
  const manifests = new Map<string, Manifest>()
  for (const [path, text] of tree) {
    const folder = /^(packages\/[^/]+|benchmarks|test)\/package\.json$/.exec(path)?.[1]
    if (folder === undefined) continue
    manifests.set(folder, JSON.parse(text) as Manifest)
    if (!(folder in packageLaws)) {
      report(
        'edges',
        path,
        1,
        `${folder} has no row in test/laws/table.ts; add one that says what it may import`,
      )
    }
  }
  return manifests
}

function readUnits(tree: Tree, manifests: ReadonlyMap<string, Manifest>): Unit[] {
  const units: Unit[] = []
  for (const [path, text] of tree) {
    if (!/\.(?:ts|mts|js|mjs)$/.test(path)) continue
    const folder = [...manifests.keys()].find((candidate) => path.startsWith(`${candidate}/`))
    const law = folder === undefined ? undefined : packageLaws[folder]
    const manifest = folder === undefined ? undefined : manifests.get(folder)
    if (folder === undefined || law === undefined || manifest === undefined) continue
    const inFolder = path.slice(folder.length + 1)
    const isTest = folder === 'test' || /\.(?:test|fixture)\.ts$|^test\//.test(inFolder)
    units.push({ path, folder, law, manifest, isTest, facts: readSource(path, text) })
  }
  return units
}

/** A package depends on what its row in the table allows, and on nothing else. */
function checkManifest(folder: string, manifest: Manifest, report: Report): void {
  const law = packageLaws[folder]
  const path = `${folder}/package.json`
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    const isAllowed = law === undefined || mayImport(law, name)
    if (!isAllowed) report('edges', path, 1, `${folder} must not depend on ${name}; see test/laws/table.ts`)
  }
}

function mayImport(law: PackageLaw, name: string): boolean {
  return name.startsWith('@troupe/') ? law.packages.includes(name.slice(8)) : law.npm.includes(name)
}

function checkImports(unit: Unit, manifests: ReadonlyMap<string, Manifest>, report: Report): void {
  for (const { line, text } of unit.facts.imports) {
    const problem = text.startsWith('.')
      ? problemOfRelative(unit, text)
      : isBuiltin(text)
        ? problemOfBuiltin(unit, text)
        : problemOfPackage(unit, text, manifests)
    if (problem !== undefined) report('imports', unit.path, line, problem)
  }
  for (const { line, text } of unit.facts.sourceUrls) {
    if (unit.isTest) continue
    const message = `new URL('${text}') breaks when built; export the file and use import.meta.resolve of its name`
    report('imports', unit.path, line, message)
  }
}

function problemOfRelative(unit: Unit, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(unit.path), specifier)
  if (!target.startsWith(`${unit.folder}/`))
    return `${specifier} leaves the package; import it by the name of its package`
  const isTestFile = /\.(?:test|fixture)\.ts$/.test(target)
  return isTestFile && !unit.isTest
    ? `${specifier} belongs to the tests; move what is shared into the sources`
    : undefined
}

function problemOfBuiltin({ law, folder, isTest }: Unit, specifier: string): string | undefined {
  if (!specifier.startsWith('node:')) return `write node:${specifier}`
  const isAllowed = isTest || mayImportBuiltin(law, specifier.slice(5).split('/', 1)[0] ?? '')
  if (isAllowed) return undefined
  return `${folder} must not import ${specifier}; take what it needs as a parameter or a port`
}

function mayImportBuiltin({ node }: PackageLaw, module: string): boolean {
  if (typeof node === 'string') return node === 'all'
  return 'only' in node ? node.only.includes(module) : !node.except.includes(module)
}

function problemOfPackage(
  { law, folder, manifest, isTest }: Unit,
  specifier: string,
  manifests: ReadonlyMap<string, Manifest>,
): string | undefined {
  const parts = specifier.split('/')
  const nameLength = specifier.startsWith('@') ? 2 : 1
  const name = parts.slice(0, nameLength).join('/')
  const subpath = ['.', ...parts.slice(nameLength)].join('/')
  const isOwn = name === `@troupe/${posix.basename(folder)}`
  if (!isOwn && !mayImport(law, name)) {
    if (isTest && (testOnlyPackages.includes(name) || name in { ...manifest.devDependencies }))
      return undefined
    return `${folder} must not import ${name}; see test/laws/table.ts for what it may import`
  }
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.devDependencies }
  if (!isOwn && !(name in declared))
    return `${name} is not in ${folder}/package.json; add it to its dependencies`
  const target = [...manifests].find(([other]) => `@troupe/${posix.basename(other)}` === name)?.[1]
  const isHidden = target !== undefined && !(subpath in { ...target.exports })
  return isHidden
    ? `${specifier} is not exported by ${name}; import what its package.json exports`
    : undefined
}

function checkPurity({ path, folder, facts }: Unit, report: Report): void {
  for (const { line, text } of facts.impurities) {
    report(
      'purity',
      path,
      line,
      `${folder} is pure and must not use ${text}; take time, chance and I/O as parameters`,
    )
  }
}

function checkText({ path, facts }: Unit, report: Report): void {
  const each = (rule: string, findings: readonly Finding[], message: (text: string) => string): void => {
    for (const { line, text } of findings) report(rule, path, line, message(text))
  }
  each('syntax', facts.errors, (text) => text)
  each('unfinished', facts.unfinished, (text) => `"${text}": finish it, or write it down in an issue`)
  each('muted', facts.muted, (text) => `${text} hides tests; remove it, or say why: { skip: 'reason' }`)
}

function checkCycles(units: readonly Unit[], report: Report): void {
  const paths = new Set(units.map(({ path }) => path))
  const edges = new Map<string, string[]>()
  for (const { path, facts } of units) {
    const targets = facts.imports
      .filter(({ text }) => text.startsWith('.'))
      .map(({ text }) => posix.join(posix.dirname(path), text))
    edges.set(
      path,
      targets.filter((target) => paths.has(target)),
    )
  }
  for (const cycle of findCycles(edges)) {
    const first = cycle[0] ?? ''
    report('cycles', first, 1, `${[...cycle, first].join(' → ')}: move what both need into a file of its own`)
  }
}

function checkLengths(units: readonly Unit[], ratchet: Ratchet, report: Report): void {
  const seen = new Map<string, number>()
  for (const { path, facts, isTest } of units) {
    seen.set(path, facts.lineCount)
    checkLength(path, 1, path, facts.lineCount, maxFileLines, ratchet.files[path], report)
    // In a test file the functions are suites: only the file has a limit.
    for (const { name, line, lineCount } of isTest ? [] : facts.functions) {
      const key = `${path}#${name}`
      seen.set(key, Math.max(lineCount, seen.get(key) ?? 0))
      checkLength(path, line, name, lineCount, maxFunctionLines, ratchet.functions[key], report)
    }
  }
  for (const [key, recorded] of Object.entries({ ...ratchet.files, ...ratchet.functions })) {
    const limit = key in ratchet.files ? maxFileLines : maxFunctionLines
    const now = seen.get(key) ?? 0
    if (now >= recorded) continue
    const todo = now > limit ? `lower its number to ${now}` : 'remove its line'
    report(
      'length',
      'test/laws/ratchet.json',
      1,
      `${key} has shrunk from ${recorded} to ${now} lines: ${todo}`,
    )
  }
}

function checkLength(
  path: string,
  line: number,
  what: string,
  lineCount: number,
  limit: number,
  recorded: number | undefined,
  report: Report,
): void {
  if (lineCount <= (recorded ?? limit)) return
  const allowed =
    recorded === undefined ? `limit ${limit}` : `${recorded} in ratchet.json, which only shrinks`
  report('length', path, line, `${what} has ${lineCount} lines (${allowed}); split it`)
}

/** No file names a path of somebody's machine. */
function checkPaths(tree: Tree, report: Report): void {
  for (const [path, text] of tree) {
    for (const [row, line] of text.split('\n').entries()) {
      const found = machinePath.exec(line)?.[0]
      if (found !== undefined)
        report('paths', path, row + 1, `${found} is a path of one machine; write it relative`)
    }
  }
}
