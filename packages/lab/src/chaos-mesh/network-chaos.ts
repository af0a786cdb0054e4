/** NetworkChaos: what becomes of frames between the nodes. */
import type { NodeId, Random } from '@troupe/core'
import type { Fault, LinkEffect, Links } from '@troupe/faults'
import type { Fields } from './fields.ts'
import { type ChaosCluster, selectPods } from './selectors.ts'

const ACTIONS = ['netem', 'delay', 'loss', 'duplicate', 'corrupt', 'partition', 'bandwidth', 'rate'] as const
const EMULATED = ['delay', 'loss', 'duplicate', 'corrupt', 'rate'] as const

export function networkChaos(
  spec: Fields,
  nodes: readonly NodeId[],
  cluster: ChaosCluster,
  random: Random,
): readonly Fault[] {
  const action = spec.needed('action', spec.choice('action', ACTIONS), ACTIONS.join(', '))
  const links = linksOf(spec, nodes, cluster, random)
  const effects = effectsOf(spec, action)
  spec.ignore(['device', 'targetDevice'], 'links are between nodes, whatever they go over')
  spec.ignore(['remoteCluster'], 'there is one cluster')
  return effects.map((effect) => ({ ...effect, links }) as Fault)
}

function effectsOf(spec: Fields, action: (typeof ACTIONS)[number]): readonly LinkEffect[] {
  if (action === 'partition') {
    spec.ignore([...EMULATED, 'bandwidth'], 'the action is partition')
    return [{ kind: 'link', mode: 'drop' }]
  }
  if (action === 'bandwidth') {
    spec.ignore(EMULATED, 'the action is bandwidth')
    return [bandwidthOf(spec)]
  }
  const wanted = action === 'netem' ? EMULATED.filter((name) => spec.has(name)) : [action]
  spec.ignore([...EMULATED.filter((name) => !wanted.includes(name)), 'bandwidth'], `the action is ${action}`)
  if (wanted.length === 0) spec.refuse('action', `with netem one of ${EMULATED.join(', ')}`)
  return wanted.flatMap((name) => emulated(spec, name))
}

function emulated(spec: Fields, name: (typeof EMULATED)[number]): readonly LinkEffect[] {
  const fields = spec.inside(name) ?? spec.refuse(name, `what belongs to ${name}`)
  if (name === 'delay') return delayOf(fields)
  if (name === 'rate') {
    const rate = { kind: 'rate', bytesPerSecond: rateOf(fields) } as const
    fields.end()
    return [rate]
  }
  const percent = fields.needed(name, fields.percent(name), 'a percentage from 0 to 100')
  const correlation = fields.percent('correlation')
  fields.end()
  return [{ kind: name, percent, ...(correlation && { correlation }) } as LinkEffect]
}

function delayOf(fields: Fields): readonly LinkEffect[] {
  const timeMs = fields.needed('latency', fields.duration('latency'), 'a time with its unit, such as 150ms')
  const jitterMs = fields.duration('jitter')
  const correlation = fields.percent('correlation')
  const effects: LinkEffect[] = [
    { kind: 'delay', timeMs, ...(jitterMs && { jitterMs }), ...(correlation && { correlation }) },
  ]
  const reorder = fields.inside('reorder')
  if (reorder !== undefined) {
    const percent = reorder.needed('reorder', reorder.percent('reorder'), 'a percentage from 0 to 100')
    const gap = reorder.integer('gap')
    const together = reorder.percent('correlation')
    reorder.end()
    effects.push({
      kind: 'reorder',
      percent,
      ...(together && { correlation: together }),
      ...(gap && { gap }),
    })
  }
  fields.end()
  return effects
}

function bandwidthOf(spec: Fields): LinkEffect {
  const fields = spec.inside('bandwidth') ?? spec.refuse('bandwidth', 'what belongs to bandwidth')
  const bytesPerSecond = rateOf(fields)
  const limitBytes = fields.integer('limit')
  fields.ignore(['buffer', 'peakrate', 'minburst'], 'frames leave one after the other, without bursts')
  fields.end()
  return { kind: 'rate', bytesPerSecond, ...(limitBytes && { limitBytes }) }
}

const SCALE: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 }

/** As tc has it: bps is bytes per second, bit is bits. */
function rateOf(fields: Fields): number {
  const expected = 'a rate such as 1mbps (a million bytes per second) or 10mbit'
  const text = fields.needed('rate', fields.text('rate'), expected)
  const [, amount, scale = '', unit] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(bps|bit)$/i.exec(text) ?? []
  const bytes =
    Number(amount) * (SCALE[scale.toLowerCase()] ?? Number.NaN) * (unit?.toLowerCase() === 'bit' ? 1 / 8 : 1)
  return bytes > 0 ? bytes : fields.refuse('rate', expected)
}

/** Without a target it is what they send to all others. */
function linksOf(spec: Fields, from: readonly NodeId[], cluster: ChaosCluster, random: Random): Links {
  const way = spec.choice('direction', ['to', 'from', 'both']) ?? 'to'
  const direction = ({ to: 'outbound', from: 'inbound', both: 'both' } as const)[way]
  spec.ignore(['externalTargets'], 'there are no links to others than nodes')
  const target = spec.inside('target')
  if (target === undefined) return { from, to: 'all', direction }
  const to = selectPods(target, cluster, random)
  target.end()
  return { from, to, direction }
}
