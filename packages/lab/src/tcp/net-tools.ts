/** The programs of the system that make networks: `ip`, `tc`, `iptables`. */
import { execFile, execFileSync } from 'node:child_process'

/** Waits for it. @throws Error where it is not there or fails: {@link reasonOf} */
export function runNow(program: string, words: readonly string[], input = ''): void {
  execFileSync(program, words, { input, stdio: ['pipe', 'ignore', 'pipe'] })
}

/** Resolves when it has ended well. */
export function run(program: string, words: readonly string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, words, (error, _, stderr) => {
      if (error === null) resolve()
      else reject(new Error(`${program} ${words.join(' ')}: ${reasonOf({ ...error, stderr })}`))
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** What the program itself says was wrong, in one line. */
export function reasonOf(error: unknown): string {
  const { message = '', stderr = '', code } = error as NodeJS.ErrnoException & { stderr?: string | Buffer }
  const [line] = `${stderr}\n${message}`.split('\n').filter((each) => each.trim() !== '')
  return code === 'ENOENT' ? 'it is not installed' : (line ?? 'it failed and said nothing')
}
