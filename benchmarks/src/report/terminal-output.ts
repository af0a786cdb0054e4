import type { CommandContext, OutputStream } from '../command.ts'
import { type Style, styleFor } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import { Output } from './output.ts'

/** Prints on a terminal, or whatever a stream leads to; to stderr where stdout is for JSON. */
export class TerminalOutput extends Output {
  readonly style: Style
  readonly #stream: OutputStream

  /** @param isForJson whether stdout is */
  constructor(context: CommandContext, isForJson: boolean) {
    super()
    this.#stream = isForJson ? context.stderr : context.stdout
    this.style = styleFor(this.#stream, context.env)
  }

  line(text = ''): void {
    this.#stream.write(`${text}\n`)
  }

  title(text: string): void {
    this.line(`\n${this.style.bold(text)}`)
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    for (const line of renderTable(columns, rows)) this.line(line)
  }
}
