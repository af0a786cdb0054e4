import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { MachineStorage } from '@troupe/core'
import { crc32 } from '@troupe/wire'
import { codec } from '../test/support.ts'
import { type ConformanceOptions, checkStateMachine } from './conformance.ts'
import { kv, kvMachine } from './kv.ts'
import { log, logMachine } from './log.ts'
import { joinChunks, type MachineDefinition, reject, type StateMachine } from './machine.ts'
import { queueCommands, queueQueries } from './queue/queue-commands.ts'
import { queueMachine } from './queue/queue-machine.ts'

const options = (more: Partial<ConformanceOptions> = {}): ConformanceOptions => ({
  codec,
  checksum: crc32,
  ...more,
})

const numbers = (count: number): number[] => [...Array(count).keys()]

/** Counts words: right as it stands. What is overridden is wrong. */
class Words implements StateMachine {
  counts = new Map<string, number>()

  apply(command: unknown): unknown {
    if (typeof command !== 'string') throw reject('a word is a string')
    const count = (this.counts.get(command) ?? 0) + 1
    this.counts.set(command, count)
    return count
  }

  query(): unknown {
    return this.counts.size
  }

  *save(): Iterable<Uint8Array> {
    yield codec.encode([...this.counts])
  }

  load(chunks: Iterable<Uint8Array>): void {
    this.counts = new Map(codec.decode(joinChunks(chunks)) as [string, number][])
  }
}

const definitionOf = (create: () => StateMachine): MachineDefinition => ({ name: 'words', create })
const words = numbers(200).map((at) => (at % 17 === 3 ? at : `w${(at * 7) % 23}`))
const faultsOf = (create: () => StateMachine): readonly string[] =>
  checkStateMachine(definitionOf(create), words, options({ queries: [null] })).faults

describe('the built-in machines', () => {
  it('kv conforms', () => {
    const commands = numbers(200).map((at) =>
      at % 5 === 0
        ? kv.delete(`k${at % 7}`)
        : at % 3 === 0
          ? kv.compareAndSet(`k${at % 11}`, at % 2 === 0 ? undefined : at - 11, at)
          : at % 41 === 0
            ? ['nonsense']
            : kv.set(`k${at % 11}`, at),
    )
    const report = checkStateMachine(kvMachine, commands, options({ queries: [kv.list(), kv.count()] }))
    assert.deepEqual(report.faults, [])
    assert.ok(report.restoreCount > 3 && report.refusalCount > 0)
  })

  it('kv conforms on the disk, too', () => {
    const commands = numbers(120).map((at) =>
      at % 5 === 0 ? kv.delete(`k${at % 7}`) : at % 31 === 0 ? ['nonsense'] : kv.set(`k${at % 11}`, at),
    )
    const queries = [kv.list(), kv.count()]
    const machineOptions = { storage: 'disk' }
    const report = checkStateMachine(kvMachine, commands, options({ queries, machineOptions }))
    assert.deepEqual(report.faults, [])
    assert.ok(report.restoreCount > 0 && report.refusalCount > 0)
  })

  it('log conforms', () => {
    const commands = numbers(150).map((at) => log.append(`record ${at}`))
    const { faults } = checkStateMachine(logMachine, commands, options({ queries: [log.read(0, 10)] }))
    assert.deepEqual(faults, [])
  })

  it('queue conforms, with leases that end and delays that fall due', () => {
    const commands = numbers(300).map((at) => {
      if (at === 0) return queueCommands.create('q', { attempts: 2, backoffMs: 20 })
      if (at % 50 === 1) return queueCommands.subscribe('q', '', 3, 400)
      if (at % 7 === 2) return queueCommands.nack(1 + (at % 5), [[at % 20, at % 90, at % 9]], null, 'no')
      if (at % 3 === 0) return queueCommands.ack(1 + (at % 4), [[1 + (at % 12), 1 + (at % 60), 1 + (at % 9)]])
      if (at % 29 === 4) return queueCommands.redrive('q', '', 5)
      return queueCommands.send('q', [
        queueCommands.message(`m${at}`, {
          ...(at % 2 === 0 ? { id: `i${at % 80}` } : {}),
          ...(at % 5 === 0 ? { key: `k${at % 3}` } : {}),
          ...(at % 8 === 0 ? { delayMs: 30 } : {}),
        }),
      ])
    })
    const queries = [queueQueries.stats('q'), queueQueries.deliveries(1, 0, 10)]
    const machineOptions = { segmentBytes: 1024, maxMessageBytes: 256 }
    const report = checkStateMachine(queueMachine, commands, options({ queries, machineOptions, rounds: 1 }))
    assert.deepEqual(report.faults, [])
  })
})

describe('a machine of one’s own', () => {
  it('conforms where it is a function of its commands', () => {
    const report = checkStateMachine(
      definitionOf(() => new Words()),
      words,
      options(),
    )
    assert.deepEqual(report.faults, [])
    assert.equal(report.commandCount, 200)
  })

  it('is caught where it draws', () => {
    class Drawing extends Words {
      override apply(command: unknown): unknown {
        super.apply(command)
        return Math.random()
      }
    }
    assert.match(faultsOf(() => new Drawing())[0] ?? '', /results differ/)
  })

  it('is caught where it counts in its module', () => {
    let calls = 0
    class Counting extends Words {
      override apply(command: unknown): unknown {
        super.apply(command)
        return ++calls
      }
    }
    assert.match(faultsOf(() => new Counting())[0] ?? '', /results differ/)
  })

  it('is caught where a snapshot lacks something', () => {
    class Forgetting extends Words {
      #last = ''
      override apply(command: unknown): unknown {
        const before = this.#last
        super.apply(command)
        this.#last = command as string
        return before
      }
    }
    assert.match(faultsOf(() => new Forgetting())[0] ?? '', /saved and loaded on the way, its results differ/)
  })

  it('is caught where a snapshot does not keep the order', () => {
    class Sorting extends Words {
      override query(): unknown {
        return [...this.counts.keys()][0]
      }
      override load(chunks: Iterable<Uint8Array>): void {
        super.load(chunks)
        this.counts = new Map([...this.counts].sort())
      }
    }
    assert.match(faultsOf(() => new Sorting())[0] ?? '', /not saved as it was/)
  })

  it('is caught where it takes chunks for what it saved them as', () => {
    class Whole extends Words {
      override load(chunks: Iterable<Uint8Array>): void {
        const [first] = chunks
        this.counts = new Map(codec.decode(first as Uint8Array) as [string, number][])
      }
    }
    assert.match(faultsOf(() => new Whole())[0] ?? '', /throws while it is saved or loaded/)
  })

  it('is caught where a query changes it', () => {
    class Asked extends Words {
      override query(): unknown {
        this.counts.set('asked', 1)
        return 0
      }
    }
    assert.ok(faultsOf(() => new Asked()).includes('a query changes the state'))
  })

  it('is caught where a refused command has changed it', () => {
    class Hasty extends Words {
      override apply(command: unknown): unknown {
        if (typeof command !== 'string') this.counts.set('last', command as number)
        return super.apply(command)
      }
    }
    assert.match(faultsOf(() => new Hasty())[0] ?? '', /command \d+ is refused .* has changed the state/)
  })

  it('is caught where a payload is not what its commands are one by one', () => {
    class Doubling extends Words {
      applyPayload(payload: Uint8Array) {
        const commands = codec.decode(payload) as unknown[]
        return { results: commands.map((command) => (typeof command === 'string' ? this.apply(command) : 0)) }
      }
    }
    assert.match(faultsOf(() => new Doubling())[0] ?? '', /one command after the other, its results differ/)
  })

  it('is caught on the disk where it keeps something beside its storage, or writes for a refused command', () => {
    const onDisk = (isForgetful: boolean): MachineDefinition => ({
      name: 'words',
      storage: 'disk',
      create: ({ storage }) => new StoredCount(storage as MachineStorage, isForgetful),
    })
    const forgetful = checkStateMachine(onDisk(true), words, options()).faults
    assert.match(forgetful[0] ?? '', /started again over its storage, its results differ/)
    const hasty = checkStateMachine(onDisk(false), words, options()).faults
    assert.match(hasty[0] ?? '', /is refused .* has changed the state/)
  })
})

const COUNT = Uint8Array.of(1)

/** Counts on the disk. Wrong either way: it counts what it refuses, or remembers the last count by itself. */
class StoredCount implements StateMachine {
  readonly #storage: MachineStorage
  readonly #isForgetful: boolean
  #last: number | undefined

  constructor(storage: MachineStorage, isForgetful: boolean) {
    this.#storage = storage
    this.#isForgetful = isForgetful
  }

  get #count(): number {
    return this.#storage.get(COUNT)?.[0] ?? 0
  }

  apply(command: unknown): unknown {
    if (this.#isForgetful && typeof command !== 'string') throw reject('a word is a string')
    this.#storage.put(COUNT, Uint8Array.of((this.#count + 1) % 256))
    if (typeof command !== 'string') throw reject('a word is a string')
    if (!this.#isForgetful) return this.#count
    this.#last ??= this.#count
    return this.#last
  }

  query(): unknown {
    return this.#count
  }

  *save(): Iterable<Uint8Array> {
    yield Uint8Array.of(this.#count)
    // Remembered only by what it was loaded from: the check of snapshots has nothing to say against it.
    if (this.#isForgetful) yield Uint8Array.of((this.#last ?? 0) % 256)
  }

  beginSave(): Iterator<Uint8Array> {
    return this.save()[Symbol.iterator]()
  }

  load(): never {
    throw new Error('the loader is used')
  }

  beginLoad(draft?: MachineStorage) {
    const bytes: number[] = []
    return {
      chunk: (chunk: Uint8Array) => void bytes.push(...chunk),
      end: () => {
        draft?.put(COUNT, Uint8Array.of(bytes[0] ?? 0))
        this.#last = this.#isForgetful ? bytes[1] || undefined : undefined
      },
    }
  }
}
