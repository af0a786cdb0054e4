/** Help texts, made of the tables that the options are parsed by. */
import type { Command, OptionSpec, OptionTable } from '@troupe/benchmarks'

const WIDTH = 110

export interface HelpEntry {
  readonly name: string
  readonly summary: string
}

/** Help of a command that has commands of its own. */
export function groupHelp(
  path: string,
  summary: string,
  entries: readonly HelpEntry[],
  notes: readonly string[],
): string {
  const width = Math.max(...entries.map(({ name }) => name.length))
  const lines = entries.flatMap(({ name, summary: text }) => wrap(`  ${name.padEnd(width)}  `, text))
  return paragraphs([summary], [`usage: ${path} COMMAND [options]`], lines, notes)
}

/** Help of a command with options. */
export function commandHelp(path: string, { summary, details = [], options, operand }: Command): string {
  const usage = operand === undefined ? path : `${path} [${operand.toUpperCase()}]`
  return paragraphs([`${path}: ${summary}`], details, [`usage: ${usage} [options]`], optionLines(options), [
    'exit codes: 0 pass, 1 fail, 2 could not be decided, 64 wrong usage, 130 interrupted',
  ])
}

/** One line or more for each option: name, value, what it is, its default. */
function optionLines(table: OptionTable): string[] {
  const rows = Object.entries(table).map(([name, spec]) => [usageOf(name, spec), textOf(spec)] as const)
  rows.push(['--help', 'this text'])
  const width = Math.max(...rows.map(([usage]) => usage.length))
  return rows.flatMap(([usage, text]) => wrap(`  ${usage.padEnd(width)}  `, text))
}

function usageOf(name: string, spec: OptionSpec): string {
  switch (spec.kind) {
    case 'flag':
      return `--${name}`
    case 'text':
    case 'texts':
      return `--${name} ${spec.placeholder}`
    case 'choice':
      return `--${name} NAME`
    case 'integers':
    case 'numbers':
      return `--${name} N,N,…`
    default:
      return `--${name} N`
  }
}

function textOf(spec: OptionSpec): string {
  const parts = [spec.kind === 'choice' ? `${spec.help}: ${spec.choices.join(', ')}` : spec.help]
  if ('unit' in spec && spec.unit !== undefined) parts.push(`in ${spec.unit}`)
  const fallback = fallbackOf(spec)
  return parts.join('; ') + (fallback === undefined ? '' : ` (default: ${fallback})`)
}

function fallbackOf(spec: OptionSpec): string | undefined {
  if (spec.kind === 'text') return spec.otherwise
  if (!('default' in spec) || spec.default === undefined) return undefined
  if (typeof spec.default === 'number') return spec.default.toLocaleString('en-US')
  return typeof spec.default === 'string' ? spec.default : spec.default.join(',')
}

/** `text` behind `head`, its further lines below its first. */
function wrap(head: string, text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && head.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  lines.push(line)
  return lines.map((content, index) => (index === 0 ? head : ' '.repeat(head.length)) + content)
}

function paragraphs(...groups: readonly (readonly string[])[]): string {
  return `${groups
    .filter((group) => group.length > 0)
    .map((group) => group.join('\n'))
    .join('\n\n')}\n`
}
