/** The state of a machine in LMDB: commits, views, drafts, and what is found when it is opened. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { RaftError, type StorageReader } from '@troupe/core'
import { type LmdbMachineStorage, openLmdbMachineStorage } from './lmdb-machine-storage.ts'

const identity = { clusterId: 'c', nodeId: 'n1', incarnation: 7, group: 0, machine: 'kv' }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value)
const all = (reader: StorageReader): Record<string, string> =>
  Object.fromEntries([...reader.entries()].map(([key, value]) => [text(key), text(value) as string]))

let path: string
let opened: LmdbMachineStorage[]

function openStorage(given: Partial<typeof identity> = {}): LmdbMachineStorage {
  const storage = openLmdbMachineStorage({ path: join(path, 'machine'), identity: { ...identity, ...given } })
  opened.push(storage)
  return storage
}

const put = (storage: Pick<LmdbMachineStorage, 'machine' | 'batch'>, entries: Record<string, string>): void =>
  storage.batch(() => {
    for (const [key, value] of Object.entries(entries)) storage.machine.put(bytes(key), bytes(value))
  })

const inside = (...names: string[]): string => join(path, 'machine', ...names)

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'test-troupe-'))
  opened = []
})

afterEach(async () => {
  for (const storage of opened) await storage.close()
  rmSync(path, { recursive: true })
})

describe('a state in LMDB', () => {
  it('commits a batch as a whole, or nothing of it', () => {
    const storage = openStorage()
    const { machine, replica } = storage
    storage.batch(() => {
      machine.put(bytes('a'), bytes('1'))
      replica.put(bytes('a'), bytes('2'))
      assert.equal(text(machine.get(bytes('a'))), '1')
    })
    assert.throws(
      () =>
        storage.batch(() => {
          assert.equal(machine.remove(bytes('a')), true)
          assert.equal(machine.remove(bytes('a')), false)
          replica.put(bytes('b'), bytes('3'))
          assert.deepEqual([machine.count, replica.count], [0, 2])
          throw new Error('no')
        }),
      { message: 'no' },
    )
    assert.deepEqual([all(machine), all(replica)], [{ a: '1' }, { a: '2' }])
    assert.throws(() => machine.put(bytes('a'), bytes('9')), { name: 'InvariantError' })
  })

  it('keeps values of every size, and keys of up to its bound', () => {
    const storage = openStorage()
    const key = new Uint8Array(storage.machine.maxKeyBytes).fill(255)
    for (const size of [0, 1, 5000, 70_000, 3 << 20]) {
      const value = new Uint8Array(size).fill(7)
      storage.batch(() => {
        storage.machine.put(key, value)
        assert.deepEqual(storage.machine.get(key), value)
      })
      assert.deepEqual(storage.machine.get(key), value)
      const [[foundKey, found] = []] = [...storage.machine.entries()]
      assert.ok(
        Buffer.from(key).equals(foundKey as Uint8Array) && Buffer.from(value).equals(found as Uint8Array),
      )
    }
    assert.throws(() =>
      storage.batch(() => storage.machine.put(new Uint8Array(storage.machine.maxKeyBytes + 1), key)),
    )
    assert.throws(() => storage.batch(() => storage.machine.put(new Uint8Array(0), key)))
    assert.equal(storage.machine.count, 1)
  })

  it('gives views that later commits do not change', () => {
    const storage = openStorage()
    put(storage, { a: '1', b: '2', c: '3' })
    const view = storage.machine.view()
    storage.batch(() => storage.machine.clear())
    put(storage, { d: '4' })
    const later = storage.machine.view()
    for (let round = 0; round < 200; round++) put(storage, { [`k${round}`]: 'v'.repeat(2000), d: `${round}` })
    assert.deepEqual(
      [all(view), view.count, text(view.get(bytes('b')))],
      [{ a: '1', b: '2', c: '3' }, 3, '2'],
    )
    assert.deepEqual([all(later), later.count], [{ d: '4' }, 1])
    view.close()
    view.close()
    assert.throws(() => view.get(bytes('a')), { name: 'InvariantError' })
    assert.deepEqual(all(later), { d: '4' })
    assert.equal(storage.machine.count, 201)
  })

  it('is found as it was committed, and flushed when it is closed', async () => {
    const first = openStorage()
    put(first, { a: '1' })
    assert.ok(existsSync(inside('unsynced-0')))
    await first.close()
    assert.deepEqual(readdirSync(inside()).sort(), ['1', 'current'])
    const again = openStorage()
    assert.deepEqual([all(again.machine), again.givenUp], [{ a: '1' }, undefined])
  })

  it('is found as it was committed after its process was killed', () => {
    const script = `
      const { openLmdbMachineStorage } = await import(${JSON.stringify(import.meta.resolve('./lmdb-machine-storage.ts'))})
      const storage = openLmdbMachineStorage(${JSON.stringify({ path: inside(), identity })})
      for (let round = 1; round <= 50; round++)
        storage.batch(() => storage.machine.put(Buffer.from('a'), Buffer.from(String(round))))
      process.kill(process.pid, 'SIGKILL')`
    assert.throws(() => execFileSync(process.execPath, ['--input-type=module', '-e', script]), {
      signal: 'SIGKILL',
    })
    const { machine, givenUp } = openStorage()
    assert.deepEqual([all(machine), givenUp], [{ a: '50' }, undefined])
  })

  it('takes a draft in its place, under the same objects; the state before is removed', async () => {
    const storage = openStorage()
    put(storage, { old: '1' })
    const view = storage.machine.view()
    const draft = storage.beginDraft()
    put(draft, { new: '1' })
    put(storage, { old: '2' })
    assert.deepEqual([all(storage.machine), all(draft.machine)], [{ old: '2' }, { new: '1' }])
    draft.adopt()
    assert.deepEqual(all(storage.machine), { new: '1' })
    assert.throws(() => view.get(bytes('old')), { name: 'InvariantError' })
    put(storage, { more: '1' })
    await storage.close()
    assert.deepEqual(readdirSync(inside()).sort(), ['2', 'current'])
    assert.deepEqual(all(openStorage().machine), { more: '1', new: '1' })
  })

  it('forgets a draft that was given up, began anew, or whose loading was cut off', async () => {
    const storage = openStorage()
    put(storage, { a: '1' })
    const first = storage.beginDraft()
    put(first, { no: '1' })
    const second = storage.beginDraft()
    put(second, { no: '2' })
    assert.throws(() => first.adopt(), { name: 'InvariantError' })
    second.abandon()
    second.abandon()
    await storage.close()
    assert.deepEqual(readdirSync(inside()).sort(), ['1', 'current'])

    const script = `
      const { openLmdbMachineStorage } = await import(${JSON.stringify(import.meta.resolve('./lmdb-machine-storage.ts'))})
      const storage = openLmdbMachineStorage(${JSON.stringify({ path: inside(), identity })})
      const draft = storage.beginDraft()
      draft.batch(() => draft.machine.put(Buffer.from('no'), Buffer.from('3')))
      process.kill(process.pid, 'SIGKILL')`
    assert.throws(() => execFileSync(process.execPath, ['--input-type=module', '-e', script]), {
      signal: 'SIGKILL',
    })
    assert.ok(existsSync(inside('2')))
    const again = openStorage()
    assert.deepEqual([all(again.machine), again.givenUp], [{ a: '1' }, undefined])
    await again.close()
    assert.deepEqual(readdirSync(inside()).sort(), ['1', 'current'])
  })

  it('is empty once it is discarded', async () => {
    const storage = openStorage()
    put(storage, { a: '1' })
    storage.discard()
    assert.deepEqual(all(storage.machine), {})
    put(storage, { b: '1' })
    await storage.close()
    assert.deepEqual(all(openStorage().machine), { b: '1' })
  })

  it('is given up where the computer was restarted before it was flushed, and not where it was closed', async () => {
    const first = openStorage()
    put(first, { a: '1' })
    await first.close()
    for (const boot of ['another boot', 'unknown']) {
      // As a power loss leaves it: torn, and with the mark of its boot.
      writeFileSync(inside('unsynced-0'), `${boot}\n`)
      truncateSync(inside(readFileSync(inside('current'), 'utf8'), 'data.mdb'), 5000)
      const storage = openStorage()
      assert.match(storage.givenUp as string, /restarted/)
      assert.deepEqual(all(storage.machine), {})
      put(storage, { b: '1' })
      await storage.close()
      assert.deepEqual(all(openStorage().machine), { b: '1' })
      await opened.at(-1)?.close()
    }
  })

  it('is given up where it is another one, or none', async () => {
    const spoilers: [spoil: () => void, given: Partial<typeof identity>][] = [
      [() => {}, { incarnation: 8 }],
      [() => {}, { machine: 'log' }],
      [
        () => writeFileSync(inside(readFileSync(inside('current'), 'utf8'), 'data.mdb'), 'x'.repeat(9000)),
        {},
      ],
      [() => writeFileSync(inside(readFileSync(inside('current'), 'utf8'), 'data.mdb'), ''), {}],
      [() => writeFileSync(inside('current'), '99'), {}],
      [() => rmSync(inside('current')), {}],
    ]
    for (const [spoil, given] of spoilers) {
      const before = openStorage()
      put(before, { a: '1' })
      await before.close()
      spoil()
      const storage = openStorage(given)
      assert.deepEqual(all(storage.machine), {})
      assert.equal(typeof storage.givenUp, 'string')
      await storage.close()
    }
  })

  it('says that it failed where it cannot be made', () => {
    writeFileSync(join(path, 'machine'), 'a file')
    assert.throws(openStorage, (error) => RaftError.is(error, 'STORAGE_FAILED'))
  })
})
