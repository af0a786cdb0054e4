import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Message, RaftError, simpleConfiguration } from '@troupe/core'
import fc from 'fast-check'
import { entry, messages, plain } from '../messages.fixture.ts'
import { hollowMessage } from './hollow-message.ts'
import { RecordDecoder } from './record-decoder.ts'
import { RecordEncoder } from './record-encoder.ts'
import {
  type Recorded,
  type RecordedBirth,
  type RecordedEvent,
  RecordedPort,
  type RecordedSettings,
  type RecordedTurn,
} from './recording.ts'
import { deedsOf, hashOf, TurnAccount, TurnDeed } from './turn-account.ts'

const numRuns = process.env.TROUPE_FULL ? 3000 : 200

const members = [{ id: 'n1', incarnation: 11 }]
const settings = {
  identity: { clusterId: 'c', group: 0, id: 'n1', incarnation: 11, boot: 12 },
  configuration: simpleConfiguration(members),
  machine: 'kv',
  machineOptions: {},
  raft: {},
  gateway: { group: 0 },
  sessions: {},
  seed: 2 ** 50,
} as unknown as RecordedSettings

/** What was written is used again: a copy. */
const joined = (parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts)

const bornBy = (encoder: RecordEncoder): Buffer => joined(encoder.birth(settings, undefined))

function turnBy(encoder: RecordEncoder, events: readonly RecordedEvent[]): Buffer {
  for (const event of events) encoder.event(event)
  return joined(encoder.turn(new TurnAccount().take()))
}

function read(...chunks: readonly Uint8Array[]): Recorded[] {
  const decoder = new RecordDecoder()
  const records = chunks.flatMap((chunk) => [...decoder.push(chunk)])
  assert.equal(decoder.damage, undefined)
  assert.equal(decoder.isCutOff, false)
  return records
}

describe('a recording', () => {
  it('gives back every message, from whomever to whomever, however it is cut', () => {
    fc.assert(
      fc.property(messages, fc.nat(), (sent, cut) => {
        const encoder = new RecordEncoder()
        const first = bornBy(encoder)
        const events = sent.map((message) => ({ kind: 'peer', message }) as const)
        const turns = [turnBy(encoder, events), turnBy(encoder, events)]
        const all = Buffer.concat([first, ...turns])
        const place = cut % all.byteLength
        const [birth, ...played] = read(all.subarray(0, place), all.subarray(place))
        assert.equal(birth?.kind, 'birth')
        for (const turn of played) assert.deepEqual(plain((turn as RecordedTurn).events), plain(events))
      }),
      { numRuns },
    )
  })

  it('gives back other events, times and refused frames', () => {
    const encoder = new RecordEncoder()
    const first = bornBy(encoder)
    const meta = { index: 3, term: 1, timeMs: 4, configurationIndex: 0, bytes: 5, checksum: 6 }
    const events: RecordedEvent[] = [
      { kind: 'client', event: { kind: 'opened', connection: 1 } },
      { kind: 'client', event: { kind: 'frame', connection: 1, bytes: Uint8Array.of(1, 2, 3) } },
      { kind: 'client', event: { kind: 'frame', connection: 1, bytes: Uint8Array.of(4) } },
      { kind: 'client', event: { kind: 'closed', connection: 1 } },
      { kind: 'persisted', token: 7 },
      { kind: 'diskSpace', isFull: true },
      { kind: 'peerExited', id: 'n2', boot: 2 ** 52 },
      { kind: 'snapshotSaved', meta: { ...meta, configuration: settings.configuration } },
      { kind: 'control', id: 9, command: { kind: 'transferLeadership', to: undefined } },
    ]
    encoder.time(1.25)
    encoder.time(1.5)
    encoder.refusedSend(1)
    const [, turn] = read(first, turnBy(encoder, events)) as [RecordedBirth, RecordedTurn]
    assert.deepEqual(plain(turn.events), plain(events))
    assert.deepEqual([turn.timesMs, turn.refusedSends], [[1.25, 1.5], [1]])
    assert.equal(turn.hash, hashOf(turn.account, 0))
  })

  it('gives back what ports answered and threw, and what a state held', () => {
    const encoder = new RecordEncoder()
    const entries = [entry(4, 1, Uint8Array.of(1)), entry(5, 1, Uint8Array.of(2, 3))]
    const error = new RaftError('STORAGE_DAMAGED', 'no', { path: '', reason: 'no' })
    encoder.result(RecordedPort.lastIndex, 5)
    encoder.entries(RecordedPort.read, entries, [4, 9, 100])
    encoder.result(RecordedPort.termAt, undefined, [6])
    encoder.bytes(RecordedPort.snapshotRead, Uint8Array.of(9, 9), [1, 2, 0, 8])
    encoder.thrown(RecordedPort.read, error, [1, 1, 1])
    const row = [Uint8Array.of(1), Uint8Array.of(2)] as const
    const birth = joined(encoder.birth(settings, { machine: [row], replica: [] }))
    const [found] = read(birth) as [RecordedBirth]
    const values = found.results.map(({ port, args, value }) => [port, args, value])
    assert.deepEqual(plain(values), [
      [RecordedPort.lastIndex, [], 5],
      [RecordedPort.read, [4, 9, 100], plain(entries)],
      [RecordedPort.termAt, [6], undefined],
      [RecordedPort.snapshotRead, [1, 2, 0, 8], plain(Uint8Array.of(9, 9))],
      [RecordedPort.read, [1, 1, 1], undefined],
    ])
    assert.deepEqual(found.results.at(-1)?.thrown, error.toWire())
    assert.deepEqual(plain(found.kept), plain({ machine: [row], replica: [] }))
    assert.deepEqual(plain(found.settings), plain(settings))
  })

  it('tells where it is damaged, and that it is cut off', () => {
    const encoder = new RecordEncoder()
    const first = bornBy(encoder)
    const turn = turnBy(encoder, [{ kind: 'persisted', token: 1 }])
    for (let place = 0; place < turn.byteLength; place++) {
      const changed = Buffer.from(turn)
      changed[place] = (changed[place] as number) ^ 1
      const decoder = new RecordDecoder()
      assert.equal(decoder.push(first).length, 1)
      assert.deepEqual(decoder.push(changed), [])
      // A length that grew waits for the rest.
      if (!decoder.isCutOff) assert.equal(decoder.damage?.offset, first.byteLength)
    }
    const decoder = new RecordDecoder()
    decoder.push(Buffer.concat([first, turn.subarray(0, -1)]))
    assert.deepEqual([decoder.isCutOff, decoder.damage], [true, undefined])
    const backwards = new RecordDecoder()
    backwards.push(turn)
    assert.match(backwards.damage?.reason ?? '', /a turn out of its place/)
  })
})

describe('an account', () => {
  it('tells messages from each other by everything that is in them', () => {
    const account = new TurnAccount()
    const accountOf = (message: Message): string => {
      account.ready({ ...nothing, messages: [message] })
      return Buffer.from(account.take()).toString('hex')
    }
    fc.assert(
      fc.property(messages, ([message]) => {
        const one = message as Message
        const known = accountOf(one)
        assert.equal(accountOf(structuredClone(one)), known)
        assert.notEqual(accountOf({ ...one, term: one.term + 1 }), known)
        assert.notEqual(accountOf({ ...one, toBoot: one.toBoot + 1 }), known)
        assert.notEqual(accountOf({ ...one, to: `${one.to}0` }), known)
      }),
      { numRuns },
    )
  })

  it('shows them to people, but for their bytes', () => {
    const account = new TurnAccount()
    const entries = [entry(4, 2, Uint8Array.of(1))]
    const envelope = {
      from: 'n1',
      fromIncarnation: 1,
      fromBoot: 2,
      to: 'n2',
      toIncarnation: 0,
      toBoot: 0,
      term: 2,
    }
    const append: Message = {
      kind: 'appendRequest',
      ...envelope,
      prevIndex: 3,
      prevTerm: 1,
      commit: 2,
      entries,
    }
    account.ready({ ...nothing, messages: [append] })
    const [deed] = deedsOf(account.take())
    assert.equal(deed?.[0], TurnDeed.message)
    const hollow = hollowMessage(deed ?? [])
    assert.deepEqual(
      hollow.kind === 'appendRequest' && [hollow.to, hollow.term, hollow.prevIndex, hollow.entries.length],
      ['n2', 2, 3, 1],
    )
  })
})

const nothing = {
  forgotten: undefined,
  persist: undefined,
  snapshotWrites: [],
  messages: [],
  snapshotWanted: false,
  install: undefined,
  committed: [],
  reads: [],
  readsRefused: [],
  proposalsRefused: [],
  role: undefined,
  configuration: undefined,
}
