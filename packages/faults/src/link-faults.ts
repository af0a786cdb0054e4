/**
 * What happens to frames on links, by directed link. Keeps no time and draws no number of its own: the same calls with
 * the same Random give the same plan.
 *
 *     frame ─► dropped? ─► lost? ─► duplicated ─► corrupted ─► too many? ─► rate ─► delayed, in line ─► its turn ─► deliveries
 *                                                                                └─► jammed: held ────────────► released
 *
 * Frames of a link arrive in their order, however long each would take, unless `reorder` lets one overtake. What is
 * planned already is not touched by a later fault: it is beyond the place where faults happen.
 */
import type { NodeId, Random } from '@troupe/core'
import { Correlated, drawLatencyMs, GilbertElliottState, happens, LossStateChain, Turns } from './chance.ts'
import type { Switchboard } from './ports.ts'
import type { DirectedLink } from './selection.ts'
import type { Latency, LinkEffect } from './vocabulary.ts'

/** An effect and where it is on: plain data, fit for a message to another thread. */
export interface LinkRule {
  readonly links: 'all' | readonly DirectedLink[]
  readonly effect: LinkEffect
}

/** What is to arrive when. Of two with the same time the one planned first comes first. */
export interface Delivery<F> {
  readonly atMs: number
  readonly frame: F
}

/** One that was held on its link. */
export interface ReleasedDelivery<F> extends Delivery<F>, DirectedLink {}

/** What {@link LinkFaults} has to know of frames. */
export interface FrameKind<F> {
  bytesOf(frame: F): number
  /** A copy with so many bits flipped; undefined where a damaged frame would be dropped on arrival anyway. */
  corrupted(frame: F, bits: number, random: Random): F | undefined
}

/** Frames as they stand on a wire. */
export const byteFrames: FrameKind<Uint8Array> = { bytesOf: (frame) => frame.byteLength, corrupted: flipBits }

export interface LinkFaultsOptions<F> {
  readonly frames: FrameKind<F>
  /** What a frame takes without any fault. @default 0 ms */
  readonly latency?: Latency | undefined
  /** Frames held on one jammed link; more are lost. @default 10,000 */
  readonly maxHeldFrames?: number | undefined
  /** Called after a jam has ended and frames are to be taken with `released`. */
  readonly onReleasable?: (() => void) | undefined
}

/** Counts of frames since the start. */
export interface LinkFaultMetrics {
  planned: number
  /** By drops, losses, full queues, and damage that cannot be shown. */
  lost: number
  duplicated: number
  corrupted: number
  reordered: number
  held: number
}

/** An effect on one link, with what it remembers there. */
interface LocalEffect {
  readonly id: number
  readonly effect: LinkEffect
  readonly chance: Correlated<boolean>
  readonly delay: Correlated<number>
  readonly burst: GilbertElliottState
  readonly states: LossStateChain
  /** Until when frames wait for those before them (rate). */
  busyUntilMs: number
  /** Frames since one was reordered. */
  sinceReordered: number
  /** When those arrive that are on their way (limit). */
  waiting: readonly number[]
  readonly turns: Turns
}

interface LinkState<F> extends DirectedLink {
  readonly effects: LocalEffect[]
  readonly latency: Correlated<number>
  /** No frame in line arrives before this. */
  lastAtMs: number
  /** While jammed, and until they are taken. */
  readonly held: Delivery<F>[]
}

/** Where the frame goes: gathered from all effects on the link. */
interface Route {
  isLost: boolean
  isJammed: boolean
  isReordered: boolean
  delayMs: number
  sentMs: number
}

const DEFAULT_MAX_HELD_FRAMES = 10_000

export class LinkFaults<F = Uint8Array> implements Switchboard<LinkRule> {
  readonly metrics: LinkFaultMetrics = {
    planned: 0,
    lost: 0,
    duplicated: 0,
    corrupted: 0,
    reordered: 0,
    held: 0,
  }

  readonly #options: LinkFaultsOptions<F>
  readonly #maxHeldFrames: number
  readonly #rules = new Map<number, LinkRule>()
  readonly #links = new Map<NodeId, Map<NodeId, LinkState<F>>>()

  constructor(options: LinkFaultsOptions<F>) {
    this.#options = options
    this.#maxHeldFrames = options.maxHeldFrames ?? DEFAULT_MAX_HELD_FRAMES
  }

  /** Switches an effect on. Several on one link add up: each has its chance, delays are summed. */
  add(id: number, rule: LinkRule): void {
    this.#rules.set(id, rule)
    for (const link of this.#all()) if (isOn(rule, link)) link.effects.push(localEffect(id, rule.effect))
  }

  /** Switches it off. Frames that only it has held can be taken with `released`. */
  remove(id: number): void {
    const rule = this.#rules.get(id)
    if (rule === undefined) return
    this.#rules.delete(id)
    for (const { effects } of this.#all()) {
      const place = effects.findIndex((local) => local.id === id)
      if (place !== -1) effects.splice(place, 1)
    }
    if (this.#hasReleasable()) this.#options.onReleasable?.()
  }

  /** When and how often a frame arrives: not at all where it is lost or held, several times where it is duplicated. */
  plan(from: NodeId, to: NodeId, frame: F, nowMs: number, random: Random): readonly Delivery<F>[] {
    this.metrics.planned++
    const link = this.#link(from, to)
    if (isStopped(link, random)) {
      this.metrics.lost++
      return []
    }
    const deliveries: Delivery<F>[] = []
    for (const copy of this.#copies(link, frame, random)) {
      const bytes = this.#options.frames.bytesOf(copy)
      const isCrowded = link.effects.some(({ effect, waiting }) => isFull(effect, waiting, nowMs))
      const route = isCrowded ? undefined : this.#route(link, bytes, nowMs, random)
      if (route === undefined || route.isLost) {
        this.metrics.lost++
        continue
      }
      const delivery = { atMs: arrival(link, route, bytes, random), frame: copy }
      countWaiting(link.effects, delivery.atMs, nowMs)
      if (route.isReordered) this.metrics.reordered++
      // Frames that were held and not taken yet come first.
      if (!route.isJammed && link.held.length === 0) deliveries.push(delivery)
      else this.#hold(link, delivery)
    }
    return deliveries
  }

  /** Takes the frames of all links that are no longer jammed, each link's in their order. */
  released(nowMs: number): readonly ReleasedDelivery<F>[] {
    const released: ReleasedDelivery<F>[] = []
    for (const link of this.#all()) {
      if (link.held.length === 0 || isJammed(link)) continue
      let lastMs = nowMs
      for (const { atMs, frame } of link.held.splice(0)) {
        lastMs = Math.max(lastMs, atMs)
        released.push({ from: link.from, to: link.to, atMs: lastMs, frame })
      }
      link.lastAtMs = Math.max(link.lastAtMs, lastMs)
    }
    return released
  }

  /** Whether nothing that is sent now from the one will reach the other. Jammed links are not cut. */
  isCut(from: NodeId, to: NodeId): boolean {
    return this.#link(from, to).effects.some(({ effect }) => isDrop(effect))
  }

  *#copies(link: LinkState<F>, frame: F, random: Random): Iterable<F> {
    let count = 1
    for (const { effect, chance } of link.effects) {
      if (effect.kind === 'duplicate' && strikes(effect, chance, random)) count++
    }
    this.metrics.duplicated += count - 1
    for (; count > 0; count--) {
      const copy = this.#damaged(link, frame, random)
      if (copy === undefined) this.metrics.lost++
      else yield copy
    }
  }

  #damaged(link: LinkState<F>, frame: F, random: Random): F | undefined {
    let bits = 0
    for (const { effect, chance } of link.effects) {
      if (effect.kind === 'corrupt' && strikes(effect, chance, random)) bits += effect.bits ?? 1
    }
    if (bits === 0) return frame
    this.metrics.corrupted++
    return this.#options.frames.corrupted(frame, bits, random)
  }

  #route(link: LinkState<F>, bytes: number, nowMs: number, random: Random): Route {
    const { latency } = this.#options
    const delayMs = latency === undefined ? 0 : drawCorrelated(latency, link.latency, random)
    const route: Route = { isLost: false, isJammed: false, isReordered: false, delayMs, sentMs: nowMs }
    for (const local of link.effects) {
      const { effect } = local
      if (effect.kind === 'link' && effect.mode === 'slow') route.delayMs += effect.timeMs
      else if (effect.kind === 'link' && effect.mode === 'jam') route.isJammed = true
      else if (effect.kind === 'delay') route.delayMs += drawCorrelated(effect, local.delay, random)
      else if (effect.kind === 'rate') queue(effect, local, bytes, nowMs, route)
      else if (effect.kind === 'reorder' && overtakes(effect, local, random)) route.isReordered = true
    }
    return route
  }

  #hold(link: LinkState<F>, delivery: Delivery<F>): void {
    if (link.held.length >= this.#maxHeldFrames) {
      this.metrics.lost++
      return
    }
    this.metrics.held++
    link.held.push(delivery)
  }

  #hasReleasable(): boolean {
    for (const link of this.#all()) if (link.held.length > 0 && !isJammed(link)) return true
    return false
  }

  *#all(): Iterable<LinkState<F>> {
    for (const links of this.#links.values()) yield* links.values()
  }

  #link(from: NodeId, to: NodeId): LinkState<F> {
    let links = this.#links.get(from)
    if (links === undefined) {
      links = new Map()
      this.#links.set(from, links)
    }
    let link = links.get(to)
    if (link === undefined) {
      link = this.#newLink({ from, to })
      links.set(to, link)
    }
    return link
  }

  #newLink(ends: DirectedLink): LinkState<F> {
    const effects: LocalEffect[] = []
    for (const [id, rule] of this.#rules) if (isOn(rule, ends)) effects.push(localEffect(id, rule.effect))
    const lastAtMs = Number.NEGATIVE_INFINITY
    return { ...ends, effects, latency: new Correlated(), lastAtMs, held: [] }
  }
}

function localEffect(id: number, effect: LinkEffect): LocalEffect {
  return {
    id,
    effect,
    chance: new Correlated(),
    delay: new Correlated(),
    burst: new GilbertElliottState(),
    states: new LossStateChain(),
    busyUntilMs: Number.NEGATIVE_INFINITY,
    sinceReordered: 0,
    waiting: [],
    turns: new Turns(),
  }
}

function isOn({ links }: LinkRule, { from, to }: DirectedLink): boolean {
  return links === 'all' || links.some((link) => link.from === from && link.to === to)
}

const isDrop = (effect: LinkEffect): boolean => effect.kind === 'link' && effect.mode === 'drop'

const isJammed = ({ effects }: { readonly effects: readonly LocalEffect[] }): boolean =>
  effects.some(({ effect }) => effect.kind === 'link' && effect.mode === 'jam')

/** Whether the frame is dropped or lost before anything else happens to it. */
function isStopped({ effects }: LinkState<unknown>, random: Random): boolean {
  for (const local of effects) {
    if (isDrop(local.effect)) return true
    if (local.effect.kind === 'loss' && loses(local.effect, local, random)) return true
  }
  return false
}

function loses(
  effect: Extract<LinkEffect, { kind: 'loss' }>,
  { chance, burst, states }: LocalEffect,
  random: Random,
): boolean {
  if ('percent' in effect) return strikes(effect, chance, random)
  if ('states' in effect) return states.next(effect.states, random)
  return burst.next(effect.gilbertElliott, random)
}

function strikes(
  { percent, correlation = 0 }: { readonly percent: number; readonly correlation?: number },
  chance: Correlated<boolean>,
  random: Random,
): boolean {
  return chance.draw(correlation, random, () => happens(percent, random))
}

function drawCorrelated(latency: Latency, last: Correlated<number>, random: Random): number {
  return last.draw(latency.correlation ?? 0, random, () => drawLatencyMs(latency, random))
}

/** The frame leaves behind those before it, or finds the queue full. */
function queue(
  effect: Extract<LinkEffect, { kind: 'rate' }>,
  local: LocalEffect,
  bytes: number,
  nowMs: number,
  route: Route,
): void {
  const { bytesPerSecond, limitBytes = Number.POSITIVE_INFINITY } = effect
  const startMs = Math.max(nowMs, local.busyUntilMs)
  const waitingBytes = ((startMs - nowMs) / 1000) * bytesPerSecond
  // A frame larger than the whole queue goes alone.
  if (waitingBytes > 0 && waitingBytes + bytes > limitBytes) {
    route.isLost = true
    return
  }
  local.busyUntilMs = startMs + (bytes / bytesPerSecond) * 1000
  route.sentMs = Math.max(route.sentMs, local.busyUntilMs)
}

function overtakes(
  effect: Extract<LinkEffect, { kind: 'reorder' }>,
  local: LocalEffect,
  random: Random,
): boolean {
  local.sinceReordered++
  if (local.sinceReordered < (effect.gap ?? 1) || !strikes(effect, local.chance, random)) return false
  local.sinceReordered = 0
  return true
}

function arrival(
  link: LinkState<unknown>,
  { isReordered, sentMs, delayMs }: Route,
  bytes: number,
  random: Random,
): number {
  let atMs = isReordered ? sentMs : Math.max(link.lastAtMs, sentMs + delayMs)
  for (const { effect, turns } of link.effects) {
    if (effect.kind === 'slot') atMs = turns.next(effect, bytes, atMs, random)
  }
  if (!isReordered) link.lastAtMs = atMs
  return atMs
}

const isFull = (effect: LinkEffect, waiting: readonly number[], nowMs: number): boolean =>
  effect.kind === 'limit' && waiting.filter((atMs) => atMs > nowMs).length >= effect.frames

function countWaiting(effects: readonly LocalEffect[], atMs: number, nowMs: number): void {
  for (const local of effects) {
    if (local.effect.kind !== 'limit') continue
    local.waiting = [...local.waiting.filter((each) => each > nowMs), atMs]
  }
}

/** A copy of `frame` with that many different bits flipped, or all of them where it has fewer. */
export function flipBits(frame: Uint8Array, bits: number, random: Random): Uint8Array {
  const copy = Uint8Array.from(frame)
  const total = copy.length * 8
  const flipped = new Set<number>()
  while (flipped.size < Math.min(bits, total)) {
    const bit = Math.floor(random.next() * total)
    if (flipped.has(bit)) continue
    flipped.add(bit)
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
  }
  return copy
}
