/**
 * What a node runs with: flags before environment variables before the file.
 *
 *     --listen ADDRESS      TROUPE_LISTEN      listen: ADDRESS
 *
 * Tokens have no flag: every user of a host sees the flags of its processes.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { CommandContext, OptionTable, OptionValues } from '@troupe/benchmarks'
import { NODE_OPTION_FIELDS, type NodeOptions } from '@troupe/cluster/node-options'
import { invalidOption } from '@troupe/core'
import { parse } from 'yaml'
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogSettings } from './log-lines.ts'

export const nodeOptions = {
  config: { kind: 'text', placeholder: 'FILE', help: 'a YAML (or JSON) file with any of these, and more' },
  id: { kind: 'text', placeholder: 'NAME', help: "the node's name" },
  cluster: { kind: 'text', placeholder: 'NAME', help: "the cluster's name" },
  peers: {
    kind: 'text',
    placeholder: 'LIST',
    help: 'where all nodes are, this one too: n1=host:port,n2=host:port,…',
  },
  directory: { kind: 'text', placeholder: 'DIR', help: 'where the node keeps what it has' },
  listen: {
    kind: 'text',
    placeholder: 'ADDRESS',
    help: 'host:port to listen on',
    otherwise: 'its own in the peers',
  },
  advertise: {
    kind: 'text',
    placeholder: 'ADDRESS',
    help: 'where others reach it',
    otherwise: 'its own in the peers',
  },
  join: { kind: 'flag', help: 'it is to be added to a cluster that runs' },
  machine: { kind: 'text', placeholder: 'NAME', help: 'kv, log, queue, or a module', otherwise: 'kv' },
  durability: {
    kind: 'text',
    placeholder: 'NAME',
    help: 'flush-before-ack or acked-before-flush',
    otherwise: 'flush-before-ack',
  },
  limits: {
    kind: 'text',
    placeholder: 'LIST',
    help: 'what strangers, clients and operators may cost: maxClients=2048,maxHalfOpen=64,…',
  },
  'tls-certificate': { kind: 'text', placeholder: 'FILE', help: "its certificate, with the node's name" },
  'tls-key': { kind: 'text', placeholder: 'FILE', help: 'the key of that' },
  'tls-authority': { kind: 'text', placeholder: 'FILE', help: 'the certificate of the authority' },
  health: {
    kind: 'text',
    placeholder: 'ADDRESS',
    help: 'host:port for /livez, /readyz and /metrics, over HTTP',
  },
  insecure: { kind: 'flag', help: 'listen beyond the loopback without TLS, and --health too' },
  'allow-faults': { kind: 'flag', help: 'operators may inject faults (troupe fault): for tests and trials' },
  'log-level': { kind: 'text', placeholder: 'LEVEL', help: LOG_LEVELS.join(', '), otherwise: 'info' },
  'log-format': {
    kind: 'text',
    placeholder: 'FORMAT',
    help: LOG_FORMATS.join(' or '),
    otherwise: 'pretty on a terminal, else json',
  },
} as const satisfies OptionTable

type Fields = Record<string, unknown>
type FlagValues = OptionValues<typeof nodeOptions>

export interface NodeConfig {
  readonly node: NodeOptions
  readonly logging: LogSettings
}

/** @throws RaftError INVALID_OPTIONS for what makes no sense in itself; the rest the node looks at */
export function readNodeConfig(flags: FlagValues, { env, stderr }: CommandContext): NodeConfig {
  const path = flags.config ?? env['TROUPE_CONFIG']
  const file = path === undefined ? {} : readFields(path)
  const layers = [file, fieldsOf((name) => env[variableOf(name)], env), fieldsOf((name) => flags[name])]
  // Of the TLS files and of the limits each may come from somewhere else.
  const merged = (['tls', 'limits'] as const).map((name) => [name, mergedOf(layers, name)] as const)
  const given: Fields = Object.assign(
    {},
    ...layers,
    Object.fromEntries(merged.filter(([, fields]) => fields !== undefined)),
  )
  const { logLevel, logFormat, ...node } = given
  for (const field of Object.keys(node)) {
    if (NODE_OPTION_FIELDS.includes(field) && field !== 'logger') continue
    const known = [...NODE_OPTION_FIELDS.filter((name) => name !== 'logger'), 'logLevel', 'logFormat']
    throw invalidOption(field, node[field], `one of ${known.join(', ')}`)
  }
  const format = logFormat ?? (stderr.isTTY === true ? 'pretty' : 'json')
  return {
    node: node as unknown as NodeOptions,
    logging: {
      level: oneOf('logLevel', LOG_LEVELS, logLevel ?? 'info'),
      format: oneOf<LogFormat>('logFormat', LOG_FORMATS, format),
    },
  }
}

/** A field that is no object in some layer is left for the node to refuse. */
function mergedOf(layers: readonly Fields[], name: string): unknown {
  const found = layers.map((layer) => layer[name]).filter((value) => value !== undefined)
  const isMergeable = (value: unknown): boolean => typeof value === 'object' && value !== null
  return found.length === 0 || !found.every(isMergeable) ? found.at(-1) : Object.assign({}, ...found)
}

/** Of flags as of variables: what is given, by the names that the file has for it. */
function fieldsOf(
  read: (name: keyof FlagValues) => string | boolean | undefined,
  secrets: CommandContext['env'] = {},
): Fields {
  const fields: Fields = {}
  const tls: Fields = {}
  for (const name of Object.keys(nodeOptions) as (keyof FlagValues)[]) {
    const value = read(name)
    if (name === 'config' || value === undefined || value === false || value === '') continue
    if (name.startsWith('tls-')) tls[name.slice(4)] = value
    else fields[camelCase(name)] = settingOf(name, value)
  }
  if (Object.keys(tls).length > 0) fields['tls'] = tls
  const client = secrets['TROUPE_CLIENT_TOKEN']
  const control = secrets['TROUPE_CONTROL_TOKEN']
  if (client !== undefined || control !== undefined)
    fields['tokens'] = { ...(client && { client }), ...(control && { control }) }
  return fields
}

function settingOf(name: keyof FlagValues, value: string | boolean): unknown {
  if (name === 'peers') return pairsOf(name, String(value), 'n1=host:port,n2=host:port,…')
  if (name === 'limits') return limitsOf(String(value))
  if (nodeOptions[name].kind !== 'flag' || typeof value === 'boolean') return value
  if (value !== 'true' && value !== 'false') throw invalidOption(variableOf(name), value, 'true or false')
  return value === 'true'
}

/** name=value,name=value */
function pairsOf(field: string, text: string, expected: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((part): [string, string] => {
    const [name = '', value, ...rest] = part.trim().split('=')
    if (value === undefined || rest.length > 0) throw invalidOption(field, text, expected)
    return [name, value]
  })
  return Object.fromEntries(pairs)
}

function limitsOf(text: string): Fields {
  const expected = 'maxClients=2048,maxHalfOpen=64,…'
  const given = Object.entries(pairsOf('limits', text, expected)).map(([name, value]) => {
    if (!/^\d+$/.test(value)) throw invalidOption(`limits.${name}`, value, 'a whole number')
    return [name, Number(value)]
  })
  return Object.fromEntries(given)
}

/**
 * What a file of options holds. Paths in it are meant from where it lies.
 * @throws RaftError INVALID_OPTIONS for a file that cannot be read
 */
export function readFields(path: string): Fields {
  let found: unknown
  try {
    found = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const [reason] = (error as Error).message.split('\n', 1)
    throw invalidOption('--config', path, `a YAML file that can be read (${reason})`)
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found))
    throw invalidOption('--config', path, 'a file of fields and values')
  const fields = found as Fields
  const from = dirname(resolve(path))
  const isPath = (value: unknown): value is string => typeof value === 'string' && value !== ''
  const { directory, tls, record } = fields
  if (isPath(directory)) fields['directory'] = resolve(from, directory)
  if (isPath(record)) fields['record'] = resolve(from, record)
  if (typeof tls === 'object' && tls !== null) {
    const files = Object.entries(tls).map(([name, file]) => [name, isPath(file) ? resolve(from, file) : file])
    fields['tls'] = Object.fromEntries(files)
  }
  return fields
}

function oneOf<T extends string>(field: string, values: readonly T[], value: unknown): T {
  if ((values as readonly unknown[]).includes(value)) return value as T
  throw invalidOption(field, value, values.join(' or '))
}

const variableOf = (name: string): string => `TROUPE_${name.replaceAll('-', '_').toUpperCase()}`
const camelCase = (name: string): string =>
  name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
