/** What a report prints, as Markdown. */
import { plainStyle } from '../terminal/style.ts'
import type { Column } from '../terminal/table.ts'
import type { FullDocument } from './document.ts'
import { originLine } from './origin-line.ts'
import { Output } from './output.ts'

export class MarkdownOutput extends Output {
  readonly style = plainStyle
  readonly #heading: string
  readonly #blocks: string[] = []

  /** @param level of its titles */
  constructor(level = 2) {
    super()
    this.#heading = '#'.repeat(level)
  }

  get text(): string {
    return `${this.#blocks.join('\n\n')}\n`
  }

  line(text = ''): void {
    if (text.trim() !== '') this.#blocks.push(escaped(text.trim()))
  }

  title(text: string): void {
    this.#blocks.push(`${this.#heading} ${escaped(text.trim())}`)
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |`
    const rule = columns.map(({ align }) => (align === 'left' ? '---' : '---:'))
    const body = rows.map((row) => line(columns.map(({ value }) => value(row))))
    this.#blocks.push(
      [line(columns.map(({ title }) => title)), `| ${rule.join(' | ')} |`, ...body].join('\n'),
    )
  }
}

/** What the report prints, and below it what it was made by and where. */
export function markdownPage(
  report: { print(output: Output): void },
  { environment, command }: Pick<FullDocument, 'environment' | 'command'>,
): string {
  const output = new MarkdownOutput()
  report.print(output)
  return `${output.text}\n${originOf({ environment, command })}`
}

/** Where and by what command it was measured. */
export function originOf({ environment, command }: Pick<FullDocument, 'environment' | 'command'>): string {
  return `${originLine(environment)}\n\n    ${command}\n`
}

const escaped = (text: string): string => text.replace(/[\\|*_<>`[\]]/g, (character) => `\\${character}`)
