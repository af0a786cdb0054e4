/**
 * The faults of a node in a process of its own: takes orders of operators, ends each fault at its time, and keeps what
 * lasts across restarts.
 *
 *     operator ─► inject ─► file in the directory ─► parts ─► NodeFaults (links, store, clock, this thread, …)
 *                   │                                    └──► this process: dies ─► its files are damaged
 *                   └─► timer, also when the operator has gone ─► over
 *     restart ─► what is not over is on again before the node does anything; one that is to be down waits
 *
 * Invariant: nothing lasts beyond its time, whatever happens to the operator, to the connection or to this process.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { hrtimeMs } from '@troupe/actor'
import { invalidOption } from '@troupe/core'
import type { NodeLog } from '../node-storage.ts'
import type { DamagedDisk } from './damaged-disk.ts'
import type { EffectOrder } from './fault-orders.ts'
import {
  type ActionPart,
  checkRequest,
  type DiskPart,
  type FaultPart,
  type FaultReport,
  type FaultRequest,
} from './fault-parts.ts'
import type { KeptFaults } from './kept-faults.ts'
import { NodeFaults } from './node-faults.ts'

const MAX_FAULTS = 64
/** For a start after the death that ends `lose-unflushed`: by then what is to be put back is put back. */
const PUT_BACK_WITHIN_MS = 3_600_000

export interface FaultDeskOptions {
  readonly kept: KeptFaults
  readonly disk: DamagedDisk
  readonly seed: number
  readonly log: NodeLog
  /** Lets the node ask for votes, or take a snapshot. */
  readonly command: (kind: 'campaign' | 'takeSnapshot') => Promise<void>
  /** Ends the process at once, without closing anything. */
  readonly die: () => never
}

/** A fault that this node knows of. */
interface OpenFault {
  readonly request: FaultRequest
  readonly untilMs: number
  readonly effects: readonly EffectOrder[]
  readonly timer: NodeJS.Timeout
}

export class FaultDesk {
  /** What the node is opened with. */
  readonly faults: NodeFaults
  readonly #options: FaultDeskOptions
  readonly #open = new Map<string, OpenFault>()
  #lastId = 0

  /** Takes up what an earlier start of the node has left open. */
  constructor(options: FaultDeskOptions) {
    this.#options = options
    const found = options.kept.read().map((request) => this.#begin(request))
    const effects = found.flatMap((fault) => fault.effects)
    for (const { request } of found) this.#log('fault goes on', request)
    this.faults = new NodeFaults({ gate: undefined, effects, seed: options.seed }, options.die)
  }

  /** Resolves when no fault keeps the node down any more, or the signal is raised. */
  async down(signal: AbortSignal): Promise<void> {
    for (;;) {
      const down = [...this.#open.values()].filter(({ request }) => has(request, 'crash'))
      const leftMs = Math.max(0, ...down.map(({ untilMs }) => untilMs - hrtimeMs()))
      if (leftMs === 0 || signal.aborted) return
      this.#options.log('warn', 'kept down by a fault', { leftMs: Math.round(leftMs) })
      await sleep(leftMs, undefined, { signal }).catch(() => {})
    }
  }

  /** What was to happen to the files happens, before anybody opens them. @throws RaftError INVALID_DIRECTORY in use */
  damageDisk(): void {
    const waiting = [...this.#open.values()].flatMap(({ request }) => {
      const part = diskPartOf(request)
      return part === undefined ? [] : [{ id: request.id, part, request }]
    })
    if (waiting.length === 0) return this.#options.disk.tidy()
    const results = this.#options.disk.happen(waiting)
    waiting.forEach(({ id, request }, place) => {
      this.#options.log('warn', 'disk damaged', { fault: id, text: request.text, result: results[place] })
      this.#forget(id)
    })
    this.#keep()
  }

  /**
   * Takes effect before this resolves; what stops or ends this process does so right after.
   * @throws RaftError INVALID_OPTIONS for what is no fault; what the node says against an election or a snapshot
   */
  async inject(given: unknown): Promise<FaultReport> {
    const request = checkRequest(given)
    if (this.#open.has(request.id)) throw invalidOption('id', request.id, 'an id that no fault has')
    if (this.#open.size >= MAX_FAULTS)
      throw invalidOption('faults', this.#open.size, `fewer than ${MAX_FAULTS} at the same time`)
    for (const part of request.parts) if (part.at === 'node') await this.#command(part)
    const fault = this.#begin(request)
    this.#keep()
    this.#log('fault injected', request)
    for (const effect of fault.effects) this.faults.obey(effect)
    for (const part of request.parts) {
      if (part.at === 'node') this.#act(part, request.forMs)
      if (part.at === 'disk' && this.#options.disk.begin(request.id, part)) this.#dieSoon()
    }
    const report = this.#report(fault)
    if (request.parts.length === 0 || !request.parts.every(isOver)) return report
    this.#end(request.id, 'fault is over')
    return { ...report, leftMs: 0 }
  }

  list(): readonly FaultReport[] {
    return Array.from(this.#open.values(), (fault) => this.#report(fault))
  }

  /** Ends that fault, or all. Gives the ids of those that were open here. */
  destroy(id?: string): readonly string[] {
    const ids = id === undefined ? [...this.#open.keys()] : [id]
    return ids.filter((each) => {
      const isThere = this.#end(each, 'fault destroyed')
      if (isThere) this.#options.disk.cancel(each)
      return isThere
    })
  }

  /** The process ends: what lasts stays in the file. */
  close(): void {
    for (const { timer } of this.#open.values()) clearTimeout(timer)
    this.#open.clear()
  }

  #begin(request: FaultRequest): OpenFault {
    const { id, forMs } = request
    const effects = request.parts.flatMap((part): EffectOrder[] =>
      part.at === 'node' || part.at === 'disk'
        ? []
        : [{ ...part, kind: 'add', id: ++this.#lastId } as EffectOrder],
    )
    const timer = setTimeout(() => this.#timeIsUp(request), forMs)
    const fault: OpenFault = { request, untilMs: hrtimeMs() + forMs, effects, timer }
    this.#open.set(id, fault)
    return fault
  }

  #timeIsUp(request: FaultRequest): void {
    this.#end(request.id, 'fault is over')
    if (diskPartOf(request)?.effect.mode !== 'lose-unflushed') return
    const effect = { mode: 'put-back' } as const
    this.#begin({ ...request, forMs: PUT_BACK_WITHIN_MS, parts: [{ at: 'disk', effect }] })
    this.#keep()
    this.#options.die()
  }

  #forget(id: string): OpenFault | undefined {
    const fault = this.#open.get(id)
    clearTimeout(fault?.timer)
    this.#open.delete(id)
    return fault
  }

  #end(id: string, event: string): boolean {
    const fault = this.#forget(id)
    if (fault === undefined) return false
    for (const { at, id: number } of fault.effects) this.faults.obey({ kind: 'remove', at, id: number })
    if (fault.effects.some(({ at }) => at === 'clock')) this.faults.obey({ kind: 'settle' })
    this.#keep()
    this.#log(event, fault.request)
    return true
  }

  /** What happens once is not done again by a later start, but for a death: that one lasts. */
  #keep(): void {
    const lasting = [...this.#open.values()].flatMap(({ request, untilMs }) => {
      const parts = request.parts.filter(comesBack)
      const leftMs = untilMs - hrtimeMs()
      const isGone = leftMs <= 0 || (parts.length === 0 && request.parts.length > 0)
      return isGone ? [] : [{ request: { ...request, parts }, leftMs }]
    })
    this.#options.kept.write(lasting)
  }

  async #command({ action }: ActionPart): Promise<void> {
    if (action === 'elect') await this.#options.command('campaign')
    if (action === 'snapshot') await this.#options.command('takeSnapshot')
  }

  #act({ action }: ActionPart, forMs: number): void {
    if (action === 'pause' || action === 'stall') this.faults.obey({ kind: action, forMs })
    if (action === 'crash') this.#dieSoon()
  }

  /** After whoever has ordered it was answered. */
  #dieSoon(): void {
    setImmediate(() => setImmediate(this.#options.die))
  }

  #report({ request, untilMs }: OpenFault): FaultReport {
    const { parts, ...rest } = request
    return { ...rest, leftMs: Math.max(0, untilMs - hrtimeMs()), isHere: parts.length > 0 }
  }

  #log(event: string, { id, text, forMs }: FaultRequest): void {
    this.#options.log('warn', event, { fault: id, text, forMs: Math.round(forMs) })
  }
}

const has = ({ parts }: FaultRequest, action: ActionPart['action']): boolean =>
  parts.some((part) => part.at === 'node' && part.action === action)

const diskPartOf = ({ parts }: FaultRequest): DiskPart | undefined => parts.find((part) => part.at === 'disk')

/** Once it has happened. */
const isOver = (part: FaultPart): boolean =>
  part.at === 'node'
    ? part.action === 'elect' || part.action === 'snapshot'
    : part.at === 'clock' && part.effect.mode === 'bump'

/**
 * Whether a later start of the node has it too. Not where it is over with the death that it has caused: the disk that has
 * failed, the heap that was full.
 */
function comesBack(part: FaultPart): boolean {
  if (part.at === 'node') return part.action === 'crash'
  if (part.at === 'store' && part.effect.mode === 'fail') return false
  if (part.at === 'heap' && part.effect.percent >= 100) return false
  return !isOver(part)
}
