/** Where text goes: `process.stdout` and `process.stderr`, or what a test has for them. */
export interface OutputStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}
