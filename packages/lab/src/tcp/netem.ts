/**
 * Effects on links in the words of `tc`: what the kernel's netem is asked for. Pure, so that it can be looked at where no
 * kernel has it.
 *
 *     eth0 of a node ─► htb 1: ─┬─ u32: dst n2 ─► class 1:1 ─► netem ─► netem …
 *                               ├─ u32: dst n3 ─► class 1:2 ─► (nothing is wrong with this one)
 *                               └─ all others, unharmed
 *
 * Each receiver has a class of its own at each sender, so a fault concerns one link, in one direction. One netem does each
 * thing once: where several effects of a kind are on one link, several stand behind each other.
 */
import type { Latency, LinkEffect } from '@troupe/faults'

/** netem's own limit is 1,000 packets: a delay alone is to lose nothing. */
const NO_LIMIT = 100_000
/** More than any virtual cable carries: classes tell receivers apart, and limit nothing. */
const CLASS_RATE = '100gbit'
const CLASS_QUANTUM = 60_000
/** The root of the tree, and where the handles of netems begin: so many for each class, in two halves that take turns. */
const ROOT = '1:'
const FIRST_HANDLE = 0x1000
const HANDLES = 0x40

/** So many effects of one kind can be on one link at one time. */
export const MOST_STAGES = HANDLES / 2

type Words = readonly string[]

/** Why netem cannot do that to a link; undefined where it can. Cuts are no business of its. */
export function cannotEmulate(effect: LinkEffect): string | undefined {
  if (effect.kind === 'link' && effect.mode === 'jam')
    return 'netem lets go of nothing that it was told to hold'
  if (effect.kind === 'delay' && effect.distribution === 'exponential' && (effect.jitterMs ?? 0) > 0)
    return 'netem has no table for it'
  if (effect.kind === 'corrupt' && (effect.bits ?? 1) !== 1) return 'netem flips one bit of a packet'
  if (effect.kind === 'rate' && effect.limitBytes !== undefined) return 'its limit is packets: limit'
  return undefined
}

/** The arguments of the netems that do all of these to a link, one behind the other; none where there is nothing to do. */
export function netemStages(effects: readonly LinkEffect[]): readonly Words[] {
  const stages: Map<string, LinkEffect>[] = []
  // Those that overtake need a delay that they can be put beside.
  const inOrder = [...effects.filter(({ kind }) => kind !== 'reorder'), ...effects.filter(isReorder)]
  for (const effect of inOrder) {
    const kind = effect.kind === 'link' ? 'delay' : effect.kind
    const free = stages.find((stage) => !stage.has(kind) && (kind !== 'reorder' || stage.has('delay')))
    if (free !== undefined) free.set(kind, effect)
    // Without a delay there is nothing to overtake.
    else if (kind !== 'reorder') stages.push(new Map([[kind, effect]]))
  }
  return stages.map((stage) => {
    const limit = stage.has('limit') ? [] : ['limit', `${NO_LIMIT}`]
    return [...limit, ...[...stage.values()].flatMap(wordsOf)]
  })
}

const isReorder = ({ kind }: LinkEffect): boolean => kind === 'reorder'

function wordsOf(effect: LinkEffect): Words {
  switch (effect.kind) {
    case 'link':
      if (effect.mode !== 'slow') throw new Error(`not refused: ${effect.mode}`)
      return ['delay', ms(effect.timeMs)]
    case 'delay':
      return delayWords(effect)
    case 'loss':
      return lossWords(effect)
    case 'duplicate':
    case 'corrupt':
      return [effect.kind, ...chance(effect)]
    case 'reorder':
      return ['reorder', ...chance(effect), ...(effect.gap === undefined ? [] : ['gap', `${effect.gap}`])]
    case 'rate':
      return ['rate', `${Math.max(1, Math.round(effect.bytesPerSecond))}bps`]
    case 'slot': {
      const { timeMs, mostMs = timeMs, frames, bytes } = effect
      const packets = frames === undefined ? [] : ['packets', `${frames}`]
      return [
        'slot',
        ms(timeMs),
        ms(mostMs),
        ...packets,
        ...(bytes === undefined ? [] : ['bytes', `${bytes}`]),
      ]
    }
    case 'limit':
      return ['limit', `${effect.frames}`]
  }
}

function delayWords(latency: Latency): Words {
  const { timeMs, jitterMs = 0, distribution = 'uniform', correlation = 0 } = latency
  if (jitterMs === 0 || distribution === 'constant') return ['delay', ms(timeMs)]
  // Our tail begins at the time and has the jitter as its mean; netem's table lies around its mean, by two thirds of its scale.
  const [mean, scale] = distribution === 'pareto' ? [timeMs + jitterMs, 1.5 * jitterMs] : [timeMs, jitterMs]
  const table = distribution === 'uniform' ? [] : ['distribution', distribution]
  return ['delay', ms(mean), ms(scale), ...(correlation > 0 ? [percent(correlation)] : []), ...table]
}

function lossWords(loss: Extract<LinkEffect, { kind: 'loss' }>): Words {
  if ('percent' in loss) return ['loss', 'random', ...chance(loss)]
  if ('states' in loss) {
    const { p13, p31 = 100 - p13, p32 = 0, p23 = 100, p14 = 0 } = loss.states
    return ['loss', 'state', ...[p13, p31, p32, p23, p14].map(percent)]
  }
  const { toBad, toGood, lossInBad = 100, lossInGood = 0 } = loss.gilbertElliott
  return ['loss', 'gemodel', ...[toBad, toGood, lossInBad, lossInGood].map(percent)]
}

function chance({ percent: share, correlation = 0 }: { percent: number; correlation?: number }): Words {
  return correlation > 0 ? [percent(share), percent(correlation)] : [percent(share)]
}

/** tc reads decimals, but no exponents. */
const decimal = (value: number): string => `${Number(value.toFixed(6))}`.replace(/^.*e.*$/, '0')
const ms = (value: number): string => `${decimal(value)}ms`
const percent = (value: number): string => `${decimal(value)}%`

/** Lines for `tc -batch`: a class for each of these addresses, numbered from 0. */
export function treeLines(device: string, addresses: readonly string[]): readonly string[] {
  return [
    `qdisc add dev ${device} root handle ${ROOT} htb`,
    ...addresses.flatMap((address, at) => [
      `class add dev ${device} parent ${ROOT} classid ${classOf(at)} htb rate ${CLASS_RATE} quantum ${CLASS_QUANTUM}`,
      `filter add dev ${device} parent ${ROOT} protocol ip prio 1 u32 match ip dst ${address}/32 flowid ${classOf(at)}`,
    ]),
  ]
}

/**
 * Lines that put these netems on a class, in place of those that were there. A netem that is changed keeps what it is not told
 * of, so there are new ones each time; packets that wait in the old ones are lost.
 * @param version the number of the change: two that follow each other differ
 */
export function stageLines(
  device: string,
  at: number,
  stages: readonly Words[],
  version: number,
): readonly string[] {
  if (stages.length > MOST_STAGES) throw new Error(`more than ${MOST_STAGES} effects of one kind on one link`)
  const first = FIRST_HANDLE + at * HANDLES + (version % 2) * MOST_STAGES
  return stages.map((words, index) => {
    const handle = (first + index).toString(16)
    const parent = index === 0 ? classOf(at) : `${(first + index - 1).toString(16)}:1`
    return `qdisc ${index === 0 ? 'replace' : 'add'} dev ${device} parent ${parent} handle ${handle}: netem ${words.join(' ')}`
  })
}

/** The line that leaves a class with a plain queue, whatever was there. */
export const clearLine = (device: string, at: number): string =>
  `qdisc replace dev ${device} parent ${classOf(at)} pfifo limit 1000`

const classOf = (at: number): string => `${ROOT}${(at + 1).toString(16)}`
