import type {
  ClockEffect,
  Fault,
  Latency,
  LinkEffect,
  Links,
  NodeFault,
  NodeSelector,
  PartitionFault,
  Slots,
} from './vocabulary.ts'

/** One line for timelines and reports. */
export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'partition':
      return `partition ${describePartition(fault)}`
    case 'link':
      return `${fault.mode}${fault.mode === 'slow' ? ` by ${fault.timeMs} ms` : ''}${onLinks(fault.links)}`
    case 'delay':
      return `delay of ${describeLatency(fault)}${onLinks(fault.links)}`
    case 'loss':
      return `loss ${describeLoss(fault)}${onLinks(fault.links)}`
    case 'duplicate':
      return `duplicates of ${describeChance(fault)}${onLinks(fault.links)}`
    case 'reorder': {
      const gap = fault.gap === undefined ? '' : `, gap ${fault.gap}`
      return `reordering of ${describeChance(fault)}${gap}${onLinks(fault.links)}`
    }
    case 'corrupt': {
      const bits = fault.bits === undefined ? '' : `, ${fault.bits} bits`
      return `corruption of ${describeChance(fault)}${bits}${onLinks(fault.links)}`
    }
    case 'rate': {
      const limit = fault.limitBytes === undefined ? '' : `, ${fault.limitBytes} B waiting`
      return `rate of ${fault.bytesPerSecond} B/s${limit}${onLinks(fault.links)}`
    }
    case 'slot':
      return `turns ${describeSlots(fault)}${onLinks(fault.links)}`
    case 'limit':
      return `limit of ${fault.frames} frames on their way${onLinks(fault.links)}`
    default:
      return describeNodeFault(fault)
  }
}

function describeLoss(loss: Extract<LinkEffect, { kind: 'loss' }>): string {
  if ('percent' in loss) return `of ${describeChance(loss)}`
  if ('states' in loss) {
    const chances = Object.entries(loss.states).map(([name, percent]) => `${name} ${percent}%`)
    return `by states (${chances.join(', ')})`
  }
  const { toBad, toGood, lossInBad = 100, lossInGood = 0 } = loss.gilbertElliott
  return `in bursts (to bad ${toBad}%, to good ${toGood}%, lost ${lossInBad}% / ${lossInGood}%)`
}

function describeSlots({ timeMs, mostMs = timeMs, frames, bytes }: Slots): string {
  const time = mostMs === timeMs ? `each ${timeMs} ms` : `each ${timeMs} to ${mostMs} ms`
  const most = [
    frames === undefined ? [] : `${frames} frames`,
    bytes === undefined ? [] : `${bytes} B`,
  ].flat()
  return [time, ...most].join(', ')
}

const describeSlowness = ({ percent, ...latency }: Latency & { readonly percent?: number }): string =>
  ` by ${describeLatency(latency)}${percent === undefined ? '' : ` in ${percent}% of its writes`}`

function describeNodeFault(fault: NodeFault): string {
  switch (fault.kind) {
    case 'clock':
      return `clock ${describeClock(fault)} at ${describeNodes(fault.nodes)}`
    case 'storage': {
      const times = fault.mode === 'bit-flip' && fault.count !== undefined ? ` × ${fault.count}` : ''
      const delay = fault.mode === 'slow' ? describeSlowness(fault) : ''
      return `storage ${fault.mode}${times}${delay} at ${describeNodes(fault.nodes)}`
    }
    case 'failpoint':
      return `failpoint ${fault.name}=${fault.term} at ${describeNodes(fault.nodes)}`
    case 'heap':
      return `heap filled to ${fault.percent}% at ${describeNodes(fault.nodes)}`
    case 'membership':
      return `membership: ${fault.change} ${describeNodes(fault.nodes)}`
    case 'transfer':
      return `transfer of leadership${fault.nodes === undefined ? '' : ` to ${describeNodes(fault.nodes)}`}`
    case 'stall':
      return `stall of ${fault.forMs} ms at ${describeNodes(fault.nodes)}`
    case 'crash':
      return `${fault.silent ? 'silent ' : ''}crash ${describeNodes(fault.nodes)}`
    default:
      return `${fault.kind} ${describeNodes(fault.nodes)}`
  }
}

/** As people write it: a name for a set, or the names. */
export function describeNodes(nodes: NodeSelector): string {
  return typeof nodes === 'string' ? nodes : nodes.join(' ')
}

function describePartition(fault: PartitionFault): string {
  if ('topology' in fault) return fault.topology
  const { direction = 'both' } = fault
  const what = 'split' in fault ? fault.split : fault.groups.map((group) => group.join(' ')).join(' | ')
  return direction === 'both' ? what : `${what}, ${direction}`
}

function describeLatency({ timeMs, jitterMs = 0, distribution, correlation = 0 }: Latency): string {
  const jitter = jitterMs === 0 ? '' : ` ± ${jitterMs}`
  const more = [distribution, correlation > 0 ? `correlation ${correlation}%` : undefined]
  return [`${timeMs}${jitter} ms`, ...more.filter((part) => part !== undefined)].join(', ')
}

function describeChance({ percent, correlation = 0 }: { percent: number; correlation?: number }): string {
  return correlation > 0 ? `${percent}%, correlation ${correlation}%` : `${percent}%`
}

function describeClock(effect: ClockEffect): string {
  switch (effect.mode) {
    case 'bump':
      return `bump by ${effect.byMs} ms`
    case 'rate':
      return `rate × ${effect.rate}`
    case 'step':
    case 'strobe':
      return `${effect.mode} by ${effect.byMs} ms every ${effect.everyMs} ms`
  }
}

function onLinks(links: Links | undefined): string {
  if (links === undefined) return ''
  const arrow = { both: '↔', outbound: '→', inbound: '←' }[links.direction ?? 'both']
  return ` on ${describeNodes(links.from)} ${arrow} ${describeNodes(links.to)}`
}
