/**
 * Workload files: benchmarks as YAML. A step is a command with its options, by the names of the command line, and what its
 * figures have to reach:
 *
 *     name: Reads beside writes
 *     steps:
 *       - command: throughput
 *         options: { window: [1024], reads: lease, mix: 90 }
 *         thresholds: { minOpsPerSecond: 1000, maxP99Ms: 50 }
 *
 * Whatever is wrong is told by file, line, field, value and what is expected, before anything runs.
 */
import { RaftError, show } from '@troupe/core'
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml'
import { readThresholds, type Thresholds } from '../check-perf/thresholds.ts'
import type { Command, OptionTable, OptionValues } from '../command.ts'
import { defaultOf, expectedOf, optionValueOf } from './option-values.ts'

export interface WorkloadStep {
  readonly name: string
  readonly command: Command
  readonly values: OptionValues<OptionTable>
  readonly thresholds: Thresholds | undefined
}

export interface WorkloadFile {
  readonly name: string
  readonly steps: readonly WorkloadStep[]
}

/** @throws RaftError INVALID_OPTIONS */
export function parseWorkloadFile(text: string, file: string, commands: readonly Command[]): WorkloadFile {
  return new WorkloadFileReader(text, file, commands).read()
}

class WorkloadFileReader {
  readonly #text: string
  readonly #file: string
  readonly #commands: readonly Command[]
  readonly #lines = new LineCounter()

  constructor(text: string, file: string, commands: readonly Command[]) {
    this.#text = text
    this.#file = file
    this.#commands = commands
  }

  read(): WorkloadFile {
    const document = parseDocument(this.#text, { lineCounter: this.#lines, uniqueKeys: true })
    const [fault] = document.errors
    if (fault !== undefined) {
      const line = this.#lines.linePos(fault.pos[0]).line
      throw this.#wrong(line, 'YAML', fault.message.split('\n', 1)[0], 'a file that can be parsed')
    }
    const root = this.#map(document.contents, 'the file', ['name', 'steps'])
    const steps = root.get('steps', true) as unknown
    if (!isSeq(steps) || steps.items.length === 0)
      throw this.#wrong(this.#lineOf(steps ?? root), 'steps', plain(steps), 'a list of steps')
    return {
      name: this.#optionalText(root, 'name', 'name') ?? this.#file,
      steps: steps.items.map((step, index) => this.#step(step, `steps[${index}]`)),
    }
  }

  #step(node: unknown, field: string): WorkloadStep {
    const step = this.#map(node, field, ['command', 'name', 'options', 'thresholds'])
    const word = this.#optionalText(step, 'command', `${field}.command`)
    const command = this.#commands.find(({ name }) => name === word)
    if (command === undefined) {
      const expected = `one of ${this.#commands.map(({ name }) => name).join(', ')}`
      throw this.#wrong(this.#lineOf(step.get('command', true) ?? step), `${field}.command`, word, expected)
    }
    return {
      name: this.#optionalText(step, 'name', `${field}.name`) ?? command.name,
      command,
      values: this.#options(step.get('options', true), command.options, `${field}.options`),
      thresholds: this.#thresholds(step.get('thresholds', true), `${field}.thresholds`),
    }
  }

  #options(node: unknown, table: OptionTable, field: string): OptionValues<OptionTable> {
    const values: Record<string, OptionValues<OptionTable>[string]> = {}
    for (const [name, spec] of Object.entries(table)) values[name] = defaultOf(spec)
    if (node === undefined) return values
    for (const [name, value] of this.#entries(this.#map(node, field, Object.keys(table)))) {
      const spec = table[name] as OptionTable[string]
      const found = optionValueOf(spec, plain(value))
      if (found === undefined)
        throw this.#wrong(this.#lineOf(value), `${field}.${name}`, plain(value), expectedOf(spec))
      values[name] = found
    }
    return values
  }

  #thresholds(node: unknown, field: string): Thresholds | undefined {
    if (node === undefined) return undefined
    try {
      return readThresholds(plain(node), field)
    } catch (error) {
      if (!RaftError.is(error, 'INVALID_OPTIONS')) throw error
      const { field: at, value, expected } = error.data
      const name = at.slice(field.length + 1)
      const inner = isMap(node) ? node.get(name, true) : undefined
      throw this.#wrong(this.#lineOf(inner ?? node), at, value, expected)
    }
  }

  #optionalText(map: YAMLMap, name: string, field: string): string | undefined {
    const node = map.get(name, true) as unknown
    if (node === undefined) return undefined
    const value = plain(node)
    if (typeof value !== 'string') throw this.#wrong(this.#lineOf(node), field, value, 'text')
    return value
  }

  /** A map without names that mean nothing. */
  #map(node: unknown, field: string, names: readonly string[]): YAMLMap {
    if (!isMap(node)) throw this.#wrong(this.#lineOf(node), field, plain(node), 'names with values')
    for (const pair of node.items) {
      const name = String(plain(pair.key))
      if (names.includes(name)) continue
      const path = field === 'the file' ? name : `${field}.${name}`
      throw this.#wrong(this.#lineOf(pair.key), path, plain(pair.value), `one of ${names.join(', ')}`)
    }
    return node
  }

  #entries(map: YAMLMap): [name: string, value: unknown][] {
    return map.items.map(({ key, value }) => [String(plain(key)), value])
  }

  #lineOf(node: unknown): number {
    const range = (node as Node | null | undefined)?.range
    return range ? this.#lines.linePos(range[0]).line : 1
  }

  #wrong(line: number, field: string, value: unknown, expected: string): RaftError<'INVALID_OPTIONS'> {
    const message = `${this.#file}:${line}: ${field} is ${show(value)}; expected ${expected}`
    return new RaftError('INVALID_OPTIONS', message, { field, value, expected })
  }
}

/** A node of the document as a plain value. */
function plain(node: unknown): unknown {
  if (isScalar(node)) return node.value
  if (isMap(node) || isSeq(node)) return node.toJSON()
  return node
}
