import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RaftError } from '@troupe/core'
import fc from 'fast-check'
import { codec, context, drained, recut, runs, stateOf } from '../test/support.ts'
import { type LogAnswer, type LogRecord, log, logMachine } from './log.ts'
import { createMachine, type StateMachine } from './machine.ts'
import type { CountingResults } from './outcome.ts'

const meta = { index: 1, timeMs: 1 }
const make = (options: Record<string, unknown> = {}): StateMachine =>
  createMachine(logMachine, context(options))

function append(machine: StateMachine, records: readonly unknown[]): number {
  assert.ok(machine.applyPayload)
  const batch = machine.applyPayload(codec.encode(records), records.length, meta)
  return (batch as { results: CountingResults }).results.from
}

const range = (machine: StateMachine): LogAnswer => machine.query(log.range()) as LogAnswer
const read = (machine: StateMachine, from = 0, limit?: number): LogRecord[] =>
  machine.query(log.read(from, limit)) as LogRecord[]
const records = (machine: StateMachine, from = 0, limit?: number): unknown[] =>
  read(machine, from, limit).map(({ record }) => record)

describe('the log machine', () => {
  it('gives each record the next position, alone or in batches', () => {
    const machine = make()
    assert.equal(machine.apply('a', meta), 0)
    assert.equal(append(machine, ['b', 'c', 'd']), 1)
    assert.equal(machine.apply(['e'], meta), 4)
    assert.deepEqual(range(machine), { first: 0, next: 5 })
    assert.deepEqual(read(machine, 2, 2), [
      { position: 2, record: 'c' },
      { position: 3, record: 'd' },
    ])
    assert.deepEqual(records(machine), ['a', 'b', 'c', 'd', ['e']])
    assert.deepEqual(read(machine, 5), [])
    assert.deepEqual(read(machine, 99), [])
  })

  it('reads what an array would, from anywhere', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string(), { minLength: 1, maxLength: 6 }), { maxLength: 12 }),
        fc.nat(50),
        fc.integer({ min: 1, max: 20 }),
        (batches, from, limit) => {
          const machine = make()
          for (const batch of batches) append(machine, batch)
          assert.deepEqual(records(machine, from, limit), batches.flat().slice(from, from + limit))
        },
      ),
      runs(100),
    )
  })

  it('keeps the newest within retainBytes, and the last batch always', () => {
    const machine = make({ retainBytes: 1000 })
    for (let index = 0; index < 100; index++) append(machine, ['x'.repeat(97), 'x'.repeat(97)])
    const { first, next } = range(machine)
    assert.equal(next, 200)
    assert.equal(next - first, 10)
    assert.equal(read(machine, 0)[0]?.position, first)
    append(machine, ['y'.repeat(5000)])
    assert.deepEqual(range(machine), { first: 200, next: 201 })
    append(machine, ['z'])
    assert.deepEqual(range(machine), { first: 201, next: 202 })
  })

  it('tells different histories apart when nothing of the difference is retained', () => {
    const histories = [['a', 'b'], ['b', 'a'], ['a', 'c'], ['a']]
    const states = histories.map((history) => {
      const machine = make({ retainBytes: 10 })
      for (const each of history) append(machine, [each])
      append(machine, ['the same long record at the end'])
      return stateOf(machine)
    })
    assert.equal(new Set(states).size, histories.length)
  })

  it('comes back from its saved bytes and goes on as before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 4 }), { maxLength: 20 }),
        fc.nat(300),
        (batches, retainBytes) => {
          const [original, loaded] = [make({ retainBytes }), make({ retainBytes })]
          for (const batch of batches) append(original, batch)
          append(loaded, ['to be forgotten'])
          const bytes = Buffer.concat([...original.save()])
          loaded.load([bytes.subarray(0, 3), bytes.subarray(3)])
          bytes.fill(0)
          assert.equal(stateOf(loaded), stateOf(original))
          for (const batch of [['x'], ['y'.repeat(50), 'z'], ...batches]) {
            assert.equal(append(loaded, batch), append(original, batch))
            assert.deepEqual(range(loaded), range(original))
            assert.deepEqual(read(loaded), read(original))
          }
          assert.equal(stateOf(loaded), stateOf(original))
        },
      ),
      runs(60),
    )
  })

  it('saves its state while records come, and loads it piece by piece', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 4 }), { maxLength: 20 }),
        fc.nat(300),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
        (batches, retainBytes, sizes) => {
          const [machine, loaded] = [make({ retainBytes }), make({ retainBytes })]
          for (const batch of batches) append(machine, batch)
          const [state, before] = [stateOf(machine), read(machine)]
          const save = machine.beginSave?.() as Iterator<Uint8Array>
          const chunks: Uint8Array[] = []
          for (const batch of [['x'], ['y'.repeat(400)]]) {
            append(machine, batch)
            const next = save.next()
            if (next.done !== true) chunks.push(next.value)
          }
          chunks.push(...drained(save))
          const loader = loaded.beginLoad?.()
          for (const chunk of recut(chunks, sizes)) {
            loader?.chunk(chunk)
            chunk.fill(0xee)
          }
          assert.deepEqual(range(loaded), { first: 0, next: 0 })
          loader?.end()
          assert.equal(stateOf(loaded), state)
          assert.deepEqual(read(loaded), before)
        },
      ),
      runs(60),
    )
  })

  it('refuses a payload that does not hold its commands', () => {
    const machine = make()
    append(machine, ['a'])
    const state = stateOf(machine)
    const payloads = [new Uint8Array(0), codec.encode('abc'), codec.encode(['one']), codec.encode([1, 2, 3])]
    for (const payload of payloads) {
      assert.throws(
        () => machine.applyPayload?.(payload, 2, meta),
        (error) => RaftError.is(error, 'REJECTED'),
      )
    }
    assert.equal(stateOf(machine), state)
  })

  it('refuses queries that make no sense', () => {
    const machine = make()
    append(machine, ['a', 'b'])
    const queries = [
      null,
      'read',
      [],
      ['write', 0],
      ['read', 0, 0],
      ['read', 0, -1],
      ['read', 0.5, 1],
      ['read', 'x', 1],
    ]
    for (const query of queries) {
      assert.throws(
        () => machine.query(query),
        (error) => RaftError.is(error, 'REJECTED'),
        JSON.stringify(query),
      )
    }
  })

  it('refuses a wrong retainBytes by its name', () => {
    for (const retainBytes of [-1, 1.5, '7', Number.NaN]) {
      assert.throws(
        () => make({ retainBytes }),
        (error) =>
          RaftError.is(error, 'INVALID_OPTIONS') && error.data.field === 'machineOptions.retainBytes',
      )
    }
  })
})
