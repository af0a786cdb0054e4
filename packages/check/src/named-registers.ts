/** Registers and key-value stores as checks by name. */
import { checkLinearizable } from './check-linearizable.ts'
import { type KvInput, type KvOutput, type KvValue, kvModel, kvModelWithoutVersions } from './kv-model.ts'
import { echoOf, keyOf, type NamedModel, type RecordedCall, ValueProblem } from './named-model.ts'
import { type RegisterInput, type RegisterOutput, registerModel } from './register-model.ts'
import { sameValue } from './values.ts'

type Input = RegisterInput<unknown>
type Output = RegisterOutput<unknown>

const READ = 'what was read; null where there is nothing'
const CAS = 'the pair [expected, new]'

function decodeCall(call: RecordedCall): Input {
  const { f, value } = call
  if (f === 'read') return { ...keyOf(call), op: 'read' }
  if (f === 'write') return { ...keyOf(call), op: 'write', value: value ?? null }
  const [expected, next] = pairOf(value)
  return { ...keyOf(call), op: 'cas', expected, value: next }
}

function pairOf(value: unknown): readonly [unknown, unknown] {
  if (Array.isArray(value) && value.length === 2) return [value[0], value[1]]
  throw new ValueProblem('value', value, CAS)
}

/** A cas that was answered did it, unless its response says `"result": false`. */
function resultOf(result: unknown): boolean {
  if (result === undefined || typeof result === 'boolean') return result ?? true
  throw new ValueProblem('result', result, 'true or false')
}

const register: NamedModel<Input, Output> = {
  name: 'register',
  summary: 'a register for each key: read, write',
  ops: ['read', 'write'],
  functions: { read: READ, write: 'what is written' },
  decodeCall,
  decodeReturn: (input, { value, extra }) => {
    if (input.op === 'read') return value ?? null
    echoOf(value, input.op === 'write' ? input.value : [input.expected, input.value], sameValue)
    return input.op === 'cas' ? resultOf(extra['result']) : undefined
  },
  check(operations, options) {
    return checkLinearizable(this.name, registerModel<unknown>(options?.initial ?? null), operations, options)
  },
}

const casRegister: NamedModel<Input, Output> = {
  ...register,
  name: 'cas-register',
  summary: 'a register for each key: read, write, compare-and-set',
  ops: ['read', 'write', 'cas'],
  functions: { ...register.functions, cas: `${CAS}; the response may have "result": false` },
}

const kvNames: Readonly<Record<string, KvInput['op']>> = {
  read: 'get',
  get: 'get',
  write: 'set',
  set: 'set',
  delete: 'delete',
  cas: 'compareAndSet',
}

function kvValueOf(value: unknown): KvValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (value instanceof Uint8Array) return value
  throw new ValueProblem('value', value, 'a text, a number, true or false')
}

const kv: NamedModel<KvInput, KvOutput> = {
  name: 'kv',
  summary: 'a key-value store: get, set, delete, compare-and-set, each of one key',
  ops: ['get', 'set', 'delete', 'compareAndSet'],
  functions: {
    get: `${READ}; the response may have "version"`,
    set: 'what is written',
    delete: 'none; the response may have "result": whether there was a value',
    cas: `${CAS}, null for no value; the response may have "result": false`,
    read: 'as get',
    write: 'as set',
  },
  decodeCall: ({ f, key, value }) => {
    if (key === undefined) throw new ValueProblem('key', undefined, 'a key')
    const op = kvNames[f]
    if (op === 'set') return { op, key, value: kvValueOf(value) }
    if (op !== 'compareAndSet') return { op: op === 'delete' ? 'delete' : 'get', key }
    const [expected, next] = pairOf(value)
    return { op, key, expected: expected === null ? undefined : kvValueOf(expected), value: kvValueOf(next) }
  },
  decodeReturn: (input, { value, extra }) => {
    const { result, version } = extra
    switch (input.op) {
      case 'get':
        if (value === null || value === undefined) return undefined
        if (version === undefined) return { value: kvValueOf(value) }
        if (typeof version === 'number') return { value: kvValueOf(value), version }
        throw new ValueProblem('version', version, 'a number')
      case 'set':
        return echoOf(value, input.value, sameValue)
      default:
        return resultOf(result)
    }
  },
  check(operations, options) {
    const hasVersions = operations.some(
      ({ output }) => typeof output === 'object' && output.version !== undefined,
    )
    return checkLinearizable(this.name, hasVersions ? kvModel : kvModelWithoutVersions, operations, options)
  },
}

export const registerModels: readonly NamedModel[] = [register, casRegister, kv] as readonly NamedModel[]
