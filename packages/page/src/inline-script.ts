/**
 * The page's own scripts. They are modules of TypeScript under `browser/`, checked and linted as the rest is; a page that
 * works without a network has them inlined: types stripped, each module a function of its own, in the order of their imports.
 *
 * What is understood is what these modules use: named imports of relative files and of `@troupe/page/…`, and `export` before a
 * function, class or const. Anything else throws while the page is written, which its test sees.
 */
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { invariant } from '@troupe/core'

const IMPORT = /^import\s*\{([^}]*)\}\s*from\s*'([^']+)'\s*$/gm
const EXPORT = /^export (?:async )?(?:function|class|const) (\w+)/gm

/** Reads a source, by the URL of its file. */
export type ReadSource = (url: string) => string

export const readSource: ReadSource = (url) => readFileSync(new URL(url), 'utf8')

/** The file that a module at `base` imports by `from`. */
function resolved(from: string, base: string): string {
  if (from.startsWith('.')) return new URL(from, base).href
  invariant(from.startsWith('@troupe/page/'), `${base} imports ${from}, which no page can`)
  return import.meta.resolve(from)
}

/** One classic script of the module at the URL `entry` and all that it imports. */
export function inlineScript(entry: string, read: ReadSource = readSource): string {
  const names = new Map<string, string>()
  const parts: string[] = []
  const add = (path: string): string => {
    const known = names.get(path)
    if (known !== undefined) return known
    const source = withoutTypes(read(path))
    const imports: string[] = []
    const body = source.replace(IMPORT, (_, list: string, from: string) => {
      const target = add(resolved(from, path))
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
