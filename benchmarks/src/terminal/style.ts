import type { OutputStream } from './output-stream.ts'

export interface Style {
  bold(text: string): string
  dim(text: string): string
  good(text: string): string
  bad(text: string): string
}

const sgr =
  (code: number, off: number) =>
  (text: string): string =>
    `\u001b[${code}m${text}\u001b[${off}m`
const plain = (text: string): string => text

/** Without colours. */
export const plainStyle: Style = { bold: plain, dim: plain, good: plain, bad: plain }

/** Colours on a terminal, unless NO_COLOR (https://no-color.org) is set to anything. */
export function styleFor(stream: OutputStream, env: Readonly<Record<string, string | undefined>>): Style {
  const hasColours = stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  if (!hasColours) return plainStyle
  return { bold: sgr(1, 22), dim: sgr(2, 22), good: sgr(32, 39), bad: sgr(31, 39) }
}
