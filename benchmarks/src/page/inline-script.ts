/**
 * The page's own scripts. They are modules of TypeScript under `browser/`, checked and linted as the rest is; a page that
 * works without a network has them inlined: types stripped, each module a function of its own, in the order of their imports.
 *
 * What is understood is what these modules use: named imports of relative files, and `export` before a function, class or
 * const. Anything else throws while the page is written, which its test sees.
 */
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { posix } from 'node:path'
import { invariant } from '@troupe/core'

const IMPORT = /^import\s*\{([^}]*)\}\s*from\s*'([^']+)'\s*$/gm
const EXPORT = /^export (?:async )?(?:function|class|const) (\w+)/gm

/** Reads a source of this package, by its path below `src`. */
export type ReadSource = (path: string) => string

/** The package ships its sources, so that this finds them when built, too. */
export const readSource: ReadSource = (path) =>
  readFileSync(new URL(import.meta.resolve(`@troupe/benchmarks/source/${path}`)), 'utf8')

/** One classic script of the module `entry` and all that it imports. */
export function inlineScript(entry: string, read: ReadSource = readSource): string {
  const names = new Map<string, string>()
  const parts: string[] = []
  const add = (path: string): string => {
    const known = names.get(path)
    if (known !== undefined) return known
    const source = withoutTypes(read(path))
    const imports: string[] = []
    const body = source.replace(IMPORT, (_, list: string, from: string) => {
      invariant(from.startsWith('.'), `${path} imports ${from}, which no page can`)
      const target = add(posix.join(posix.dirname(path), from))
      imports.push(`const {${list.trim().replaceAll(' as ', ': ')}} = ${target}`)
      return ''
    })
    const exported = [...body.matchAll(EXPORT)].map(([, name]) => name)
    const plain = body.replace(/^export (?=(?:async )?(?:function|class|const) )/gm, '')
    invariant(!/^(?:import|export)\b/m.test(plain), `${path} has an import or export that cannot be inlined`)
    const name = `module${names.size}`
    names.set(path, name)
    parts.push(
      `const ${name} = (() => {\n${imports.join('\n')}\n${tidy(plain)}\nreturn { ${exported.join(', ')} }\n})()`,
    )
    return name
  }
  add(entry)
  // Lest the script's own text end its element.
  return `(() => {\n'use strict'\n${parts.join('\n')}\n})()`.replaceAll('</', '<\\/')
}

/** Node warns that stripping is experimental: nothing that a reader of a benchmark could act on. */
function withoutTypes(source: string): string {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}

/** Types leave blanks behind. */
const tidy = (source: string): string => source.replace(/[ \t]+$/gm, '').replace(/\n{2,}/g, '\n')
