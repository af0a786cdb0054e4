/** `troupe ca DIR`: a test authority, and certificates that it issues. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { CommandContext, OptionTable } from '@troupe/benchmarks'
import { invalidOption, RaftError } from '@troupe/core'
import { TestAuthority, validFor } from '@troupe/transport'
import { takeOperands } from './operands.ts'
import { parseOptions, wantsHelp } from './options.ts'
import { showHelp } from './output.ts'

const PATH = 'troupe ca DIR'
const NAME = /^[A-Za-z0-9][\w.-]{0,62}$/
/** The file name of the authority's own. */
const AUTHORITY = 'ca'

const names = (what: string) => ({ kind: 'text', placeholder: 'LIST', help: what }) as const

const options = {
  nodes: names("names of nodes, as they are in the cluster's configuration: n1,n2,n3"),
  clients: names('names of clients: app'),
  operators: names('names of operators: admin'),
  days: {
    kind: 'integer',
    min: 1,
    max: 3650,
    unit: 'days',
    default: 365,
    help: 'how long the certificates hold',
  },
} as const satisfies OptionTable

const details = [
  'DIR gets ca.pem (whom all trust) and ca.key, and NAME.pem and NAME.key for each name. Where DIR has an authority already it issues',
  'further certificates; no file is ever overwritten. Keys can be read by their owner alone. Nothing that was issued can be taken',
  'back: this is an authority for tests and trials. A certificate of it makes its owner a client and an operator alike; of nodes',
  'the name is looked at. Give each host its own NAME.pem and NAME.key and ca.pem, and nobody ca.key.',
]

/** Runs `troupe ca ARGS`; resolves with the exit code. @throws RaftError INVALID_OPTIONS, INVALID_DIRECTORY */
export async function ca(args: readonly string[], context: CommandContext): Promise<number> {
  const summary = 'makes a test authority, and certificates of nodes, clients and operators'
  if (wantsHelp(args)) return showHelp(context, PATH, summary, options, details)
  const { operands, rest } = takeOperands(args, ['DIR'], options, PATH)
  const parsed = parseOptions(rest, options, PATH)
  if (parsed.kind === 'help') return 0
  const { nodes, clients, operators, days } = parsed.values
  const wanted = [
    ...namesOf('--nodes', nodes),
    ...namesOf('--clients', clients),
    ...namesOf('--operators', operators),
  ]
  const twice = wanted.find((name, index) => wanted.indexOf(name) < index)
  if (twice !== undefined) throw invalidOption('names', twice, 'each name once')
  const directory = resolve(operands[0] as string)
  issue(directory, wanted, days, context)
  return 0
}

function namesOf(flag: string, list: string | undefined): readonly string[] {
  const found = list?.split(',').map((name) => name.trim()) ?? []
  for (const name of found) {
    if (!NAME.test(name)) throw invalidOption(flag, name, 'names of letters, digits, "-", "_" and "."')
    if (name === AUTHORITY) throw invalidOption(flag, name, 'another name than that of the authority')
  }
  return found
}

function issue(directory: string, wanted: readonly string[], days: number, { stdout }: CommandContext): void {
  // All are looked at before anything is written.
  for (const name of wanted)
    for (const file of [`${name}.pem`, `${name}.key`])
      if (existsSync(join(directory, file)))
        throw refused(directory, `it has ${file}: nothing is overwritten`)
  const authority = openAuthority(directory, stdout.write.bind(stdout))
  for (const name of wanted) {
    const { certificate, key } = authority.issue(name, validFor(days))
    write(directory, `${name}.key`, key, 0o600)
    write(directory, `${name}.pem`, certificate, 0o644)
    stdout.write(`${join(directory, `${name}.pem`)} and ${name}.key: "${name}", for ${days} days\n`)
  }
}

function openAuthority(directory: string, say: (text: string) => void): TestAuthority {
  const [certificate, key] = [`${AUTHORITY}.pem`, `${AUTHORITY}.key`] as const
  const found = [certificate, key].filter((file) => existsSync(join(directory, file)))
  if (found.length === 1)
    throw refused(directory, `it has ${found[0]} alone: the other half of it is missing`)
  if (found.length === 2) {
    const text = (file: string): string => readFileSync(join(directory, file), 'utf8')
    return TestAuthority.load({ certificate: text(certificate), key: text(key) })
  }
  const authority = new TestAuthority()
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw refused(directory, `it cannot be created: ${(error as Error).message}`)
  }
  write(directory, key, authority.key, 0o600)
  write(directory, certificate, authority.certificate, 0o644)
  say(`${join(directory, certificate)} and ${key}: a new authority\n`)
  return authority
}

/** Never over another file, not even one that has come since. */
function write(directory: string, file: string, text: string, mode: number): void {
  try {
    writeFileSync(join(directory, file), text, { mode, flag: 'wx' })
  } catch (error) {
    throw refused(directory, `${file} cannot be written: ${(error as Error).message}`)
  }
}

function refused(path: string, reason: string): RaftError<'INVALID_DIRECTORY'> {
  return new RaftError('INVALID_DIRECTORY', `directory ${path}: ${reason}`, { path, reason })
}
