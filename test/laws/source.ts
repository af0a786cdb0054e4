/** Reads one source file into the facts that the laws speak of. Pure: text in, facts out. */
import { type Comment, parseSync, visitorKeys } from 'oxc-parser'

import { impureGlobals, impureMembers, unfinishedMarker } from './table.ts'

/** Something at a line of a file. */
export interface Finding {
  readonly line: number
  readonly text: string
}

export interface FunctionFact {
  /** `name`, `Class.name`, or `outer.anonymous` where it has none. */
  readonly name: string
  readonly line: number
  readonly lineCount: number
}

export interface SourceFacts {
  readonly lineCount: number
  /** Specifiers of all imports: static, dynamic, of types, and `import.meta.resolve`. */
  readonly imports: readonly Finding[]
  readonly functions: readonly FunctionFact[]
  /** Uses of what a pure package has not. */
  readonly impurities: readonly Finding[]
  /** Comments that mark unfinished work. */
  readonly unfinished: readonly Finding[]
  /** Tests that are switched off without a reason, or that switch off the others. */
  readonly muted: readonly Finding[]
  /** `new URL('./x.ts', import.meta.url)`: tsc does not rewrite it. */
  readonly sourceUrls: readonly Finding[]
  /** What does not parse. */
  readonly errors: readonly Finding[]
}

/** A node of the ESTree that oxc-parser yields, read generically. */
interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

interface Place {
  readonly parent: Node | undefined
  readonly scope: string
  readonly isType: boolean
}

const functionTypes = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])
/** TS nodes that hold values; every other TS node is a type, and a type is no use of a global. */
const tsValues = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSInstantiationExpression',
])
const testNames = new Set(['test', 'it', 'describe', 'suite'])
const contextNames = new Set(['t', 'context', 'ctx'])

/** The facts of the file `path` (its ending says how to parse it) with the content `text`. */
export function readSource(path: string, text: string): SourceFacts {
  return new Reader(path, text).facts
}

class Reader {
  readonly #lineStarts: number[] = [0]
  readonly #declared = new Set<string>()
  readonly #imports: Finding[] = []
  readonly #functions: FunctionFact[] = []
  readonly #globals: Finding[] = []
  readonly #asyncs: Finding[] = []
  readonly #unfinished: Finding[] = []
  readonly #muted: Finding[] = []
  readonly #sourceUrls: Finding[] = []
  readonly facts: SourceFacts

  constructor(path: string, text: string) {
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1))
      this.#lineStarts.push(at + 1)
    const { program, comments, errors } = parseSync(path, text, { sourceType: 'module' })
    this.#readComments(comments)
    this.#visit(program as unknown as Node, { parent: undefined, scope: '', isType: false })
    this.facts = {
      lineCount: this.#lineStarts.length - (text.endsWith('\n') ? 1 : 0),
      imports: this.#imports,
      functions: this.#functions,
      // A name that the file declares itself is not the global.
      impurities: [...this.#globals.filter(({ text: name }) => !this.#declared.has(name)), ...this.#asyncs],
      unfinished: this.#unfinished,
      muted: this.#muted,
      sourceUrls: this.#sourceUrls,
      errors: errors.map(({ message, labels }) => this.#at(labels[0]?.start ?? 0, message)),
    }
  }

  #readComments(comments: readonly Comment[]): void {
    for (const { start, value } of comments) {
      for (const [row, line] of value.split('\n').entries()) {
        if (unfinishedMarker.test(line))
          this.#unfinished.push({ line: this.#lineOf(start) + row, text: line.trim() })
      }
    }
  }

  #visit(node: Node, place: Place): void {
    const isType = place.isType || (node.type.startsWith('TS') && !tsValues.has(node.type))
    this.#readImport(node)
    this.#readDeclaration(node)
    if (!isType) {
      this.#readGlobal(node, place.parent)
      this.#readAsync(node)
      this.#readCall(node)
    }
    let scope = place.scope
    if (functionTypes.has(node.type)) {
      scope = join(scope, nameOf(node, place.parent) ?? 'anonymous')
      const line = this.#lineOf(node.start)
      this.#functions.push({ name: scope, line, lineCount: this.#lineOf(node.end) - line + 1 })
    } else if (node.type === 'ClassDeclaration' || node.type === 'ClassExpression') {
      scope = join(scope, identifierOf(node.id) ?? 'class')
    }
    for (const child of childrenOf(node)) this.#visit(child, { parent: node, scope, isType })
  }

  #readImport(node: Node): void {
    const isImport =
      node.type === 'ImportDeclaration' ||
      node.type === 'ExportAllDeclaration' ||
      node.type === 'ExportNamedDeclaration' ||
      node.type === 'ImportExpression' ||
      node.type === 'TSImportType'
    const specifier = isImport ? stringOf(node.source) : undefined
    if (specifier !== undefined) this.#imports.push(this.#at(node.start, specifier))
  }

  #readDeclaration(node: Node): void {
    const binds = [node.local, node.id, node.param, ...(Array.isArray(node.params) ? node.params : [])]
    if (node.type === 'ExportSpecifier') return
    for (const bound of binds) for (const name of boundNames(bound)) this.#declared.add(name)
  }

  #readGlobal(node: Node, parent: Node | undefined): void {
    if (node.type === 'MetaProperty') {
      this.#globals.push(this.#at(node.start, 'import.meta'))
    } else if (node.type === 'MemberExpression') {
      const name = memberOf(node)
      if (name !== undefined && impureMembers.has(name)) this.#globals.push(this.#at(node.start, name))
    } else if (node.type === 'Identifier' && !isKey(node, parent)) {
      const name = identifierOf(node)
      if (name !== undefined && impureGlobals.has(name)) this.#globals.push(this.#at(node.start, name))
    }
  }

  #readAsync(node: Node): void {
    if (functionTypes.has(node.type) && node.async === true) this.#asyncs.push(this.#at(node.start, 'async'))
    const awaits =
      node.type === 'AwaitExpression' ||
      (node.type === 'ForOfStatement' && node.await === true) ||
      (node.type === 'VariableDeclaration' && node.kind === 'await using')
    if (awaits) this.#asyncs.push(this.#at(node.start, 'await'))
  }

  #readCall(node: Node): void {
    if (node.type === 'NewExpression') this.#readUrl(node)
    if (node.type !== 'CallExpression') return
    const callee = node.callee as Node
    const args = node.arguments as Node[]
    const called = identifierOf(callee) ?? memberOf(callee)
    if (called === 'import.meta.resolve') {
      const specifier = stringOf(args[0])
      if (specifier !== undefined) this.#imports.push(this.#at(node.start, specifier))
    }
    const [owner = '', method = ''] = called?.split('.') ?? []
    const isTest = testNames.has(owner)
    if (isTest && (method === 'only' || method === 'skip' || method === 'todo')) {
      this.#muted.push(this.#at(node.start, `${owner}.${method}(`))
    } else if (contextNames.has(owner) && method === 'skip' && args.length === 0) {
      this.#muted.push(this.#at(node.start, `${owner}.skip()`))
    } else if (isTest) {
      for (const argument of args) this.#readTestOptions(argument)
    }
  }

  #readTestOptions(argument: Node): void {
    if (argument.type !== 'ObjectExpression') return
    for (const property of argument.properties as Node[]) {
      const key = identifierOf(property.key)
      const isMuting = key === 'only' || key === 'skip' || key === 'todo'
      if (isMuting && (property.value as Node).value === true) {
        this.#muted.push(this.#at(property.start, `${key}: true`))
      }
    }
  }

  #readUrl(node: Node): void {
    const [first, second] = node.arguments as Node[]
    const path = stringOf(first)
    if (identifierOf(node.callee) !== 'URL' || path === undefined || !path.endsWith('.ts')) return
    if (memberOf(second) === 'import.meta.url') this.#sourceUrls.push(this.#at(node.start, path))
  }

  #at(offset: number, text: string): Finding {
    return { line: this.#lineOf(offset), text }
  }

  #lineOf(offset: number): number {
    let low = 0
    let high = this.#lineStarts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

function childrenOf(node: Node): Node[] {
  const keys = (visitorKeys as Record<string, readonly string[]>)[node.type] ?? []
  return keys.flatMap((key) => node[key]).filter(isNode)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value
}

function join(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`
}

/** What a function is called: by itself, or by the variable, field, property or method that holds it. */
function nameOf(node: Node, parent: Node | undefined): string | undefined {
  const own = identifierOf(node.id)
  if (own !== undefined || parent === undefined) return own
  if (parent.type === 'VariableDeclarator') return identifierOf(parent.id)
  const isHeld = parent.value === node && !parent.computed
  return isHeld ? (identifierOf(parent.key) ?? stringOf(parent.key)) : undefined
}

function identifierOf(value: unknown): string | undefined {
  if (!isNode(value)) return undefined
  if (value.type === 'PrivateIdentifier') return `#${String(value.name)}`
  return value.type === 'Identifier' ? String(value.name) : undefined
}

function stringOf(value: unknown): string | undefined {
  return isNode(value) && typeof value.value === 'string' ? value.value : undefined
}

/** `a.b.c` of a chain of plain members, `import.meta.x` included. */
function memberOf(value: unknown): string | undefined {
  if (!isNode(value)) return undefined
  if (value.type === 'MetaProperty') return 'import.meta'
  if (value.type !== 'MemberExpression' || value.computed) return identifierOf(value)
  const owner = memberOf(value.object)
  const member = identifierOf(value.property)
  return owner === undefined || member === undefined ? undefined : `${owner}.${member}`
}

/** Whether an identifier names a member or a property, and not a variable. */
function isKey(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined || parent.computed === true) return false
  return parent.property === node || parent.key === node
}

/** The names that a declaration, a parameter or a pattern binds. */
function boundNames(value: unknown): string[] {
  if (!isNode(value)) return []
  if (value.type === 'Identifier') return [String(value.name)]
  if (value.type === 'AssignmentPattern') return boundNames(value.left)
  if (value.type === 'RestElement') return boundNames(value.argument)
  if (value.type === 'ArrayPattern') return (value.elements as unknown[]).flatMap(boundNames)
  if (value.type !== 'ObjectPattern') return []
  return (value.properties as Node[]).flatMap((property) => boundNames(property.value ?? property))
}
