/** What steps become: deeds of the simulator, as data, which other worlds do too. Each step gives as many as it has targets. */
import {
  type DirectedLink,
  type Direction,
  drawPartition,
  type LinkEffect,
  selectNodes,
} from '@troupe/faults'
import { type Dice, linkName } from '@troupe/sim'
import { toxicOf } from '../proxy/toxic-of.ts'
import type { ComposedKind } from '../scenario/composed.ts'
import type { Selector, StepFields, StepKind } from '../scenario/steps.ts'
import type { Span } from '../schema/units.ts'
import type { LabDeed as Deed, DirectedWorld } from './directed-world.ts'
import { linksBetween, type Parties, type Targets } from './targets.ts'

/** Until everything is healed. */
const UNTIL_HEALED_MS = 1e9

type DeedKind = Exclude<
  StepKind,
  | 'wait'
  | 'warmup'
  | 'serial'
  | 'parallel'
  | 'every'
  | 'schedule'
  | 'until'
  | 'when'
  | 'statusCheck'
  | 'select'
  | ComposedKind
>

type Makers = {
  readonly [K in DeedKind]: (fields: StepFields[K], parties: Parties | undefined) => readonly Deed[]
}

export class Deeds {
  readonly #world: DirectedWorld
  readonly #targets: Targets
  readonly #dice: Dice

  constructor(world: DirectedWorld, targets: Targets) {
    this.#world = world
    this.#targets = targets
    this.#dice = world.dice
  }

  /** What is to be done for a step, in this order; nothing where it has nobody to be done to. */
  of(
    kind: DeedKind,
    fields: unknown,
    forMs: number | undefined,
    parties: Parties | undefined,
  ): readonly Deed[] {
    this.#forMs = forMs ?? UNTIL_HEALED_MS
    return (this.#makers[kind] as (fields: unknown, parties: Parties | undefined) => readonly Deed[])(
      fields,
      parties,
    )
  }

  #forMs = UNTIL_HEALED_MS

  #drawn(span: Span | undefined): number {
    return span === undefined ? UNTIL_HEALED_MS : this.#dice.between(span.leastMs, span.mostMs)
  }

  #each(target: Selector, parties: Parties | undefined, make: (node: string) => Deed): Deed[] {
    return this.#targets.of(target, parties).map(make)
  }

  readonly #makers: Makers = {
    partition: (fields, parties) => this.#partition(fields, parties),
    link: ({ from, to, direction = 'both', mode, time = 0 }, parties) => {
      const links = namesOf(this.#targets.links(from, to, direction, parties))
      if (links.length === 0) return []
      const forMs = this.#forMs
      if (mode === 'drop') return [{ do: 'cut', links, forMs }]
      if (mode === 'jam') return [{ do: 'jam', links, forMs }]
      return [{ do: 'weather', effects: [{ kind: 'delay', timeMs: time }], links, forMs }]
    },
    network: (fields, parties) => {
      const effects = effectsOf(fields)
      const forMs = this.#forMs
      if (fields.on === undefined) return [{ do: 'weather', effects, forMs }]
      const { from, to, direction = 'both' } = fields.on
      const links = namesOf(this.#targets.links(from, to, direction, parties))
      return links.length === 0 ? [] : [{ do: 'weather', effects, links, forMs }]
    },
    toxic: (fields, parties) => {
      const { from, to, stream = 'downstream', toxicity = 100 } = fields
      const direction = stream === 'upstream' ? 'outbound' : 'inbound'
      const links = namesOf(this.#targets.links(from, to, direction, parties))
      if (links.length === 0) return []
      return [{ do: 'toxic', links, order: { toxic: toxicOf(fields), toxicity }, forMs: this.#forMs }]
    },
    flap: ({ from, to }, parties) =>
      this.#targets
        .links(from, to, 'outbound', parties)
        .map((link): Deed => ({ do: 'flap', nodes: [link.from, link.to] })),
    hangUp: ({ from }, parties) => {
      const nodes = this.#targets.of(from, parties)
      const open = this.#world.connected.filter(({ node, client }) => {
        return nodes.includes(node) || nodes.includes(client)
      })
      return open.map((ends): Deed => ({ do: 'hangUp', ...ends }))
    },
    kill: (fields, parties) => this.#kill(fields, parties),
    outOfMemory: ({ target, downFor }, parties) =>
      this.#each(target, parties, (node) => ({ do: 'outOfMemory', node, forMs: this.#drawn(downFor) })),
    crashLoop: ({ target, after }, parties) =>
      this.#each(target, parties, (node) => {
        return { do: 'crashLoop', node, afterMs: this.#drawn(after), forMs: this.#forMs }
      }),
    term: ({ target, becomes, downFor }, parties) =>
      this.#each(target, parties, (node) => {
        return { do: 'setTerm', node, term: becomes, forMs: this.#drawn(downFor) }
      }),
    failpoint: ({ target, name, term }, parties) =>
      this.#each(target, parties, (node) => ({ do: 'failpoint', node, name, term, forMs: this.#forMs })),
    heap: ({ target, percent }, parties) =>
      this.#each(target, parties, (node) => ({ do: 'fillHeap', node, percent, forMs: this.#forMs })),
    start: ({ target }, parties) => this.#each(target, parties, (node) => ({ do: 'start', node })),
    pause: ({ target }, parties) =>
      this.#each(target, parties, (node) => ({ do: 'pause', node, forMs: this.#forMs })),
    // To whoever looks from outside the same: nothing is heard, nothing is sent, and all that came waits.
    stall: ({ target }, parties) =>
      this.#each(target, parties, (node) => {
        return { do: 'pause', node, forMs: this.#forMs, isBlocked: true }
      }),
    wipe: ({ target }, parties) => this.#each(target, parties, (node) => ({ do: 'wipe', node })),
    disk: ({ target, mode, by = 1 }, parties) =>
      this.#each(target, parties, (node) => {
        const forMs = this.#forMs
        return mode === 'slow' ? { do: 'slowDisk', node, by, forMs } : { do: `${mode}Disk`, node, forMs }
      }),
    damage: ({ target, what, back = 0, count = 1 }, parties) =>
      this.#targets.of(target, parties).flatMap((node): Deed[] => {
        if (what === 'snapshot') return [{ do: 'flipSnapshot', node }]
        return Array.from({ length: count }, (_, at): Deed => ({ do: 'flipEntry', node, back: back + at }))
      }),
    rollBack: ({ target, entries, downFor }, parties) =>
      this.#each(target, parties, (node) => ({ do: 'rollBack', node, entries, forMs: this.#drawn(downFor) })),
    clock: ({ target, mode, by = 0, rate = 1 }, parties) =>
      this.#each(target, parties, (node) => {
        return mode === 'bump'
          ? { do: 'jump', node, byMs: by }
          : { do: 'skew', node, rate, forMs: this.#forMs }
      }),
    members: (fields, parties) => this.#members(fields, parties),
    transfer: ({ to }, parties) => {
      if (to === undefined) return [{ do: 'transfer' }]
      return this.#each(to, parties, (node) => ({ do: 'transfer', to: node })).slice(0, 1)
    },
    elect: ({ target }, parties) => this.#each(target, parties, (node) => ({ do: 'campaign', node })),
    snapshot: ({ target }, parties) => this.#each(target, parties, (node) => ({ do: 'takeSnapshot', node })),
    abandon: ({ client }) => [{ do: 'leave', client, silently: true, withinMs: 5000 }],
    write: ({ client, key = 'k0', times = 1, bytes }) =>
      Array.from({ length: times }, (): Deed => {
        const sized = bytes === undefined ? {} : { bytes }
        const by = client ?? this.#anyClient()
        return { do: 'write', client: by, key, conditional: false, withinMs: 5000, ...sized }
      }),
    read: ({ client, key = 'k0', node, consistency = 'linearizable', times = 1 }, parties) => {
      const [at] = node === undefined ? [] : this.#targets.of(node, parties)
      if (node !== undefined && at === undefined) return []
      return Array.from({ length: times }, (): Deed => {
        const named = at === undefined ? {} : { node: at }
        return { do: 'read', client: client ?? this.#anyClient(), key, consistency, withinMs: 5000, ...named }
      })
    },
    heal: () => [{ do: 'recover' }],
  }

  #anyClient(): string {
    return this.#dice.pick(this.#world.clientNames)
  }

  #kill(
    { target, downFor, keepQuorum = false, leave = 0, silent = false }: StepFields['kill'],
    parties: Parties | undefined,
  ): Deed[] {
    const { memberIds: voters, nodeIds } = this.#world
    let upCount = nodeIds.filter((id) => this.#world.isUp(id)).length
    const up = new Set(voters.filter((id) => this.#world.isUp(id)))
    return this.#targets.of(target, parties).flatMap((node): Deed[] => {
      if (!this.#world.isUp(node)) return []
      const isNeeded = up.has(node) && (up.size - 1) * 2 <= voters.length
      if (keepQuorum && isNeeded) return []
      if (upCount <= leave) return []
      upCount--
      up.delete(node)
      return [{ do: 'crash', node, forMs: this.#drawn(downFor), ...(silent && { isSilent: true }) }]
    })
  }

  #members(fields: StepFields['members'], parties: Parties | undefined): Deed[] {
    const kinds = { add: 'addLearner', promote: 'promote', demote: 'demote', remove: 'remove' } as const
    const changes = Object.entries(kinds).flatMap(([field, kind]) => {
      const target = fields[field as keyof typeof kinds]
      return target === undefined ? [] : this.#targets.of(target, parties).map((id) => ({ kind, id }))
    })
    const replaced = fields.replace === undefined ? [] : this.#targets.of(fields.replace, parties)
    const wipes = replaced.map((node): Deed => ({ do: 'wipe', node }))
    if (changes.length === 0) return wipes
    return [...wipes, { do: 'changeMembers', changes, leave: fields.leave ?? 'auto' }]
  }

  #partition(fields: StepFields['partition'], parties: Parties | undefined): Deed[] {
    const { nodeIds: nodes, primaries } = this.#world
    const forMs = this.#forMs
    const direction: Direction = fields.direction ?? 'both'
    const situation = { nodes, primaries }
    if (fields.topology !== undefined) {
      const { cut } = drawPartition({ kind: 'partition', topology: fields.topology }, situation, this.#dice)
      return cut.length === 0 ? [] : [{ do: 'cut', links: namesOf(cut), forMs }]
    }
    const groups = this.#groups(fields, parties).filter(({ length }) => length > 0)
    if (groups.length === 0) return []
    const { cut } = drawPartition({ kind: 'partition', groups, direction }, situation, this.#dice)
    const links = [...cut, ...this.#clientCuts(groups, fields.clients ?? 'all')]
    return links.length === 0 ? [] : [{ do: 'cut', links: namesOf(links), forMs }]
  }

  /** The isolated groups. */
  #groups(
    { split, groups = [] }: StepFields['partition'],
    parties: Parties | undefined,
  ): (readonly string[])[] {
    if (split === undefined) return groups.map((group) => this.#targets.of(group, parties))
    const { nodeIds: nodes, primaries } = this.#world
    if (split === 'primaries') return primaries.map((node) => [node])
    if (split !== 'halves') return [selectNodes(split, { nodes, primaries }, this.#dice).slice()]
    const half = Math.floor(nodes.length / 2)
    const left = [...nodes]
    return [Array.from({ length: half }, () => left.splice(this.#dice.below(left.length), 1)[0] as string)]
  }

  /** Clients that see one side only. */
  #clientCuts(groups: readonly (readonly string[])[], how: 'all' | 'apart' | 'isolated'): DirectedLink[] {
    const { nodeIds: nodes, clientNames } = this.#world
    const [isolated = []] = groups
    if (how === 'all') return []
    const rest = nodes.filter((node) => !isolated.includes(node))
    return clientNames.flatMap((client) => {
      const isIsolated = how === 'isolated' || this.#dice.chance(0.5)
      return linksBetween([client], isIsolated ? rest : isolated, 'both')
    })
  }
}

const namesOf = (links: readonly DirectedLink[]): string[] => links.map(({ from, to }) => linkName(from, to))

/** What happens to frames by such a step. */
export function effectsOf(fields: StepFields['network']): LinkEffect[] {
  const { delay, loss, burst, lossState, duplicate, corrupt, reorder, rate, slot, limit } = fields
  const effects: LinkEffect[] = []
  if (delay !== undefined) {
    const { time, jitter, distribution, correlation } = delay
    effects.push({
      kind: 'delay',
      timeMs: time,
      ...(jitter !== undefined && { jitterMs: jitter }),
      ...(distribution !== undefined && { distribution }),
      ...(correlation !== undefined && { correlation }),
    })
  }
  for (const [kind, chance] of Object.entries({ loss, duplicate, corrupt } as const)) {
    if (chance === undefined) continue
    const both = typeof chance === 'number' ? { percent: chance } : chance
    effects.push({ kind: kind as 'loss', ...both })
  }
  if (burst !== undefined) effects.push({ kind: 'loss', gilbertElliott: burst })
  if (lossState !== undefined) effects.push({ kind: 'loss', states: lossState })
  if (reorder !== undefined) {
    effects.push({ kind: 'reorder', ...(typeof reorder === 'number' ? { percent: reorder } : reorder) })
  }
  if (rate !== undefined) effects.push({ kind: 'rate', bytesPerSecond: rate })
  if (slot !== undefined) {
    const { time, ...most } = slot
    effects.push({ kind: 'slot', timeMs: time.leastMs, mostMs: time.mostMs, ...most })
  }
  if (limit !== undefined) effects.push({ kind: 'limit', frames: limit })
  return effects
}

export type { DeedKind }
