/**
 * A machine as the conformance check runs it: on the places that a replica would give it, in memory.
 *
 *     definition ─► storage 'disk' ─► MemoryStateStorage: what is applied is one batch, a snapshot is loaded into a draft
 *               └─► segments ───────► MemorySegments: what is left in them by a rest is there when it is resumed
 */
import type { SegmentSpace, StateLoader } from '@troupe/core'
import {
  createMachine,
  type MachineContext,
  type MachineDefinition,
  type RestingMachine,
  type StateMachine,
  storagePlaceOf,
} from './machine.ts'
import { MemoryStateStorage } from './memory-state-storage.ts'
import { MemorySegments } from './queue/memory-segments.ts'

type Given = Pick<MachineContext, 'codec' | 'checksum' | 'options'>

/** A machine of its own, and how it is started again over what it has kept. */
export interface Subject {
  readonly machine: StateMachine
  /** Undefined where it keeps nothing: then a replica loads a snapshot, and applies the log again. */
  readonly restarted: (() => Subject) | undefined
}

/** @throws RaftError INVALID_MACHINE, INVALID_OPTIONS */
export function subjectOf(
  definition: MachineDefinition,
  given: Given,
  storage = new MemoryStateStorage(),
): Subject {
  const segments = definition.segments === true ? new MemorySegments() : undefined
  if (storagePlaceOf(definition, given.options) === 'memory') return inMemory(definition, given, segments)
  const machine = createMachine(definition, { ...given, segments, storage: storage.machine })
  return {
    machine: onDisk(machine, storage),
    restarted: () => subjectOf(definition, given, new MemoryStateStorage(storage.current)),
  }
}

/** At rest it leaves what is in its segments, and gives all else. */
function inMemory(definition: MachineDefinition, given: Given, segments: SegmentSpace | undefined): Subject {
  const machine = createMachine(definition, { ...given, segments })
  if (machine.rest === undefined) return { machine, restarted: undefined }
  return {
    machine,
    restarted: () => {
      const left = machine.rest?.() as RestingMachine
      const again = inMemory(definition, given, left.segments)
      const loader = again.machine.beginResume?.() as StateLoader
      for (let next = left.pieces.next(); next.done !== true; next = left.pieces.next())
        loader.chunk(next.value)
      loader.end()
      return again
    },
  }
}

/** What it writes is committed call by call. */
function onDisk(machine: StateMachine, storage: MemoryStateStorage): StateMachine {
  const { applyPayload, passTime, beginSave } = machine
  return {
    apply: (command, meta) => inBatch(storage, () => machine.apply(command, meta)),
    ...(applyPayload === undefined
      ? {}
      : {
          applyPayload: (payload, count, meta) =>
            inBatch(storage, () => machine.applyPayload?.(payload, count, meta)),
        }),
    ...(passTime === undefined
      ? {}
      : { passTime: (meta) => inBatch(storage, () => machine.passTime?.(meta)) }),
    query: (query) => machine.query(query),
    save: () => machine.save(),
    load: (chunks) => inBatch(storage, () => machine.load(chunks)),
    ...(beginSave === undefined ? {} : { beginSave: () => machine.beginSave?.() as Iterator<Uint8Array> }),
    beginLoad: () => loadingInto(machine, storage),
  }
}

/** A refusal is no failure of the batch: what it has written by then stays, and is found. */
function inBatch<T>(storage: MemoryStateStorage, run: () => T): T {
  let result: { readonly value: T } | { readonly error: unknown } | undefined
  storage.batch(() => {
    try {
      result = { value: run() }
    } catch (error) {
      result = { error }
    }
  })
  const ended = result as { readonly value: T } | { readonly error: unknown }
  if ('error' in ended) throw ended.error
  return ended.value
}

function loadingInto(machine: StateMachine, storage: MemoryStateStorage): StateLoader {
  const draft = storage.beginDraft()
  const loader = machine.beginLoad?.(draft.machine) as StateLoader
  return {
    chunk: (bytes) => draft.batch(() => loader.chunk(bytes)),
    end: () => {
      draft.batch(() => loader.end())
      draft.adopt()
    },
  }
}
