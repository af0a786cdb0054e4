/** Reads the repository for the laws: the files that git would commit, and what the git log says. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Ratchet, Tree } from './check.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const ignoredFolders = new Set(['node_modules', 'dist', 'reports', '.git'])
const binaryEnding = /\.(?:png|jpg|gif|ico|gz|tgz|mdb|bin)$/

/** All text files: tracked ones, and new ones that git does not ignore. Without git: all but build outputs. */
export function readTree(): Tree {
  const listed = git('ls-files', '--cached', '--others', '--exclude-standard', '-z')
  const paths = listed === undefined ? walk() : listed.split('\0').filter((path) => path !== '')
  const tree = new Map<string, string>()
  for (const path of new Set(paths)) {
    const file = join(root, path)
    // A tracked file may be deleted in the working tree.
    const isText = !binaryEnding.test(path) && statSync(file, { throwIfNoEntry: false })?.isFile()
    if (isText) tree.set(path, readFileSync(file, 'utf8'))
  }
  return tree
}

/** Messages of all commits; undefined where there is no git or no commit. */
export function readGitLog(): string | undefined {
  return git('log', '--format=%h %B')
}

export function readRatchet(): Ratchet {
  return JSON.parse(readFileSync(new URL('ratchet.json', import.meta.url), 'utf8')) as Ratchet
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 })
  return status === 0 ? stdout : undefined
}

function walk(): string[] {
  const exclude = (path: string): boolean => ignoredFolders.has(path.split(sep).at(-1) ?? '')
  return globSync(['**', '.*/**', '.*'], { cwd: root, exclude }).map((path) => path.split(sep).join('/'))
}

/** Whether there is a file or folder of that path. */
export const isThere = (path: string): boolean =>
  statSync(join(root, path), { throwIfNoEntry: false }) !== undefined
