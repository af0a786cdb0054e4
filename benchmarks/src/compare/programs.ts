/** Whether a peer's server and client library are here. Nothing of them is a dependency of ours. */
import { accessSync, constants } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Missing } from './contestant.ts'

/** Where Debian puts servers, which is not in everybody's PATH. */
const MORE_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/lib/rabbitmq/bin']

const peersManifest = new URL('../../peers/package.json', import.meta.url)
const requirePeer = createRequire(peersManifest)

/** The file behind a program's name; undefined where there is none. */
export function findProgram(name: string, path = process.env['PATH'] ?? ''): string | undefined {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ''), ...MORE_FOLDERS]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What a peer needs. */
export interface Needs {
  /** Servers by program name. */
  readonly programs: readonly string[]
  /** The Debian package that they come in. */
  readonly debianPackage?: string
  /** Client libraries by package name. */
  readonly libraries: readonly string[]
}

export interface Finders {
  readonly hasProgram: (name: string) => boolean
  readonly hasLibrary: (name: string) => boolean
}

const thisMachine: Finders = {
  hasProgram: (name) => findProgram(name) !== undefined,
  hasLibrary: (name) => {
    try {
      requirePeer.resolve(name)
      return true
    } catch {
      return false
    }
  },
}

/** What of it is not here, with the command that installs all of it. */
export function missingOf(needs: Needs, finders: Finders = thisMachine): Missing | undefined {
  const programs = needs.programs.filter((name) => !finders.hasProgram(name))
  const libraries = needs.libraries.filter((name) => !finders.hasLibrary(name))
  if (programs.length + libraries.length === 0) return undefined
  const commands = [
    ...(programs.length > 0 && needs.debianPackage !== undefined
      ? [`apt-get install ${needs.debianPackage}`]
      : []),
    ...(libraries.length > 0 ? [installLibraries()] : []),
  ]
  return { what: [...programs, ...libraries].join(', '), install: commands.join(' && ') }
}

/** The command that installs the client libraries of all peers. */
export function installLibraries(): string {
  const folder = relative(process.cwd(), fileURLToPath(new URL('.', peersManifest)))
  return `npm install --prefix ${folder === '' ? '.' : folder.replace(/\/$/, '')}`
}

/** A peer's client library. @throws where it is not installed */
export function loadLibrary<Library>(name: string): Library {
  return requirePeer(name) as Library
}

/** Version of an installed client library. */
export function libraryVersion(name: string): string {
  for (const folder of requirePeer.resolve.paths(name) ?? []) {
    try {
      return (requirePeer(join(folder, name, 'package.json')) as { readonly version: string }).version
    } catch {}
  }
  return 'unknown'
}
