/** Runs the `troupe` command as a user does: a child process, with a folder of its own for temporary data. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const troupe = fileURLToPath(new URL('../packages/cli/bin/troupe.js', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export class TroupeCommand {
  /** For what a test wants to keep for a while. */
  readonly scratch = mkdtempSync(join(tmpdir(), 'troupe-command-'))
  #runs = 0

  /** Temporary data goes into `temporary`, so that what is left behind is seen. */
  start(args: readonly string[], temporary: string): ChildProcess {
    mkdirSync(temporary, { recursive: true })
    return spawn(process.execPath, [troupe, ...args], {
      env: { ...process.env, TMPDIR: temporary, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  /** Runs to the end; `left` is what is left of its temporary data. */
  async run(...args: readonly string[]): Promise<Ended & { readonly left: string[] }> {
    const temporary = join(this.scratch, `tmp-${++this.#runs}`)
    const result = await ended(this.start(args, temporary))
    return { ...result, left: readdirSync(temporary) }
  }

  remove(): void {
    rmSync(this.scratch, { recursive: true, force: true })
  }
}

/** What a child has said, and how it ended. */
export async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}
