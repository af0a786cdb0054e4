/** Nodes, certificates and time for tests over TCP. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Entry, EntryKind, encodeEntry, type Identity, type Message } from '@troupe/core'
import { crc32, streamFrameOf } from '@troupe/wire'
import type { TlsFiles } from './credentials.ts'
import { type IssuedCertificate, TestAuthority } from './test-authority.ts'
import type { Timers } from './timers.ts'

export const GROUP = 1

export const identityOf = (id: string, change: Partial<Identity> = {}): Identity => ({
  clusterId: 'cluster',
  group: GROUP,
  id,
  incarnation: 10 + Number(id.slice(1)),
  boot: 1,
  ...change,
})

/** Far above what anything here takes. A loop that outlived its test would keep a core busy for ever. */
const BOUND_MS = 60_000

/** Asks again, a turn of the event loop later; fails after a bound. */
export async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + BOUND_MS
  while (!condition()) {
    assert.ok(performance.now() < deadlineMs, `not within ${BOUND_MS} ms: ${condition}`)
    await new Promise(setImmediate)
  }
}

const ends = ({ id, incarnation, boot }: Identity, to: string) => ({
  from: id,
  fromIncarnation: incarnation,
  fromBoot: boot,
  to,
  toIncarnation: 0,
  toBoot: 0,
  term: 1,
})

export const heartbeat = (from: Identity, to: string, commit = 0): Message => ({
  kind: 'heartbeat',
  ...ends(from, to),
  commit,
  round: 0,
})

export const appendReply = (from: Identity, to: string, matchIndex = 0): Message => ({
  kind: 'appendReply',
  ...ends(from, to),
  accepted: true,
  matchIndex,
  rejected: 0,
  hintIndex: 0,
  hintTerm: 0,
})

/** With one entry of so many bytes; none for 0. */
export function append(from: Identity, to: string, bytes: number, commit = 0): Message {
  const kind = EntryKind.commands
  const header = { index: 1, term: 1, kind, timeMs: 0, commandCount: 1, configurationIndex: 0 }
  const entries: Entry[] = bytes === 0 ? [] : [encodeEntry(header, [new Uint8Array(bytes)], crc32)]
  return { kind: 'appendRequest', ...ends(from, to), prevIndex: 0, prevTerm: 0, commit, entries }
}

export const chunk = (from: Identity, to: string, bytes: number, offset = 0): Message => ({
  kind: 'snapshotChunk',
  ...ends(from, to),
  index: 1,
  checksum: 0,
  offset,
  data: new Uint8Array(bytes),
})

/** Time that passes when it is told to. */
export class FakeTimers implements Timers {
  nowMs = 0
  readonly #waiting = new Map<number, { readonly atMs: number; readonly callback: () => void }>()
  #number = 0

  set(callback: () => void, ms: number): unknown {
    this.#waiting.set(++this.#number, { atMs: this.nowMs + ms, callback })
    return this.#number
  }

  clear(timer: unknown): void {
    this.#waiting.delete(timer as number)
  }

  get count(): number {
    return this.#waiting.size
  }

  /** How long until the first one is due. */
  get nextInMs(): number | undefined {
    const due = Array.from(this.#waiting.values(), ({ atMs }) => atMs - this.nowMs)
    return due.length === 0 ? undefined : Math.min(...due)
  }

  /** All that is due by then is called, in order. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms
    for (;;) {
      const [next] = [...this.#waiting].filter(([, { atMs }]) => atMs <= endMs).sort(byTime)
      if (next === undefined) break
      const [number, { atMs, callback }] = next
      this.#waiting.delete(number)
      this.nowMs = atMs
      callback()
    }
    this.nowMs = endMs
  }
}

type Waiting = [number, { readonly atMs: number }]
const byTime = ([left, a]: Waiting, [right, b]: Waiting): number => a.atMs - b.atMs || left - right

/** A socket that somebody has opened by hand, and what came over it. */
export class RawSocket {
  readonly socket: Socket
  readonly received: Buffer[] = []
  isClosed = false

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.socket.on('data', (bytes: Buffer) => this.received.push(bytes))
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isClosed = true
    })
  }

  /** Payloads of whole frames. */
  frame(...payloads: Uint8Array[]): void {
    this.socket.write(Buffer.concat(payloads.map(streamFrameOf)))
  }

  get text(): string {
    return Buffer.concat(this.received).toString('latin1')
  }
}

/** A directory with the files of an authority and of whoever it has issued certificates to. */
export class CertificateFiles {
  readonly authority = new TestAuthority()
  readonly path = mkdtempSync(join(tmpdir(), 'troupe-tls-'))

  /** Writes the files of `name`, with a certificate of this authority or of the one given. */
  of(name: string, issued: IssuedCertificate = this.authority.issue(name), ca = this.authority): TlsFiles {
    const files = {
      certificate: join(this.path, `${name}.pem`),
      key: join(this.path, `${name}.key`),
      authority: join(this.path, `${name}.ca`),
    }
    writeFileSync(files.certificate, issued.certificate)
    writeFileSync(files.key, issued.key)
    writeFileSync(files.authority, ca.certificate)
    return files
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
