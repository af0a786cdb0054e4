/** What a report prints, as Markdown. */
import { plainStyle } from '../terminal/style.ts'
import type { Column } from '../terminal/table.ts'
import { Output } from './output.ts'

export class MarkdownOutput extends Output {
  readonly style = plainStyle
  readonly #blocks: string[] = []

  get text(): string {
    return `${this.#blocks.join('\n\n')}\n`
  }

  line(text = ''): void {
    if (text.trim() !== '') this.#blocks.push(escaped(text.trim()))
  }

  title(text: string): void {
    this.#blocks.push(`## ${escaped(text.trim())}`)
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

/** @param print of the report */
export function markdownPage(print: (output: Output) => void): string {
  const output = new MarkdownOutput()
  print(output)
  return output.text
}

const escaped = (text: string): string => text.replace(/[\\|*_<>`[\]]/g, (character) => `\\${character}`)
