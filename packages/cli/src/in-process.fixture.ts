/** `troupe ARGS` in this process: what it says, and how it ends. */
import { runCli } from './run-cli.ts'

export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Nothing comes from the environment, and nobody interrupts it. */
export async function troupe(...args: readonly string[]): Promise<Said> {
  const said = { stdout: '', stderr: '' }
  const stream = (to: keyof typeof said) => ({
    write: (text: string) => {
      said[to] += text
    },
  })
  const { signal } = new AbortController()
  const code = await runCli(args, { stdout: stream('stdout'), stderr: stream('stderr'), env: {}, signal })
  return { code, ...said }
}
