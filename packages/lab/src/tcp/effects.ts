/** Effects on links, as streams can have them: what the fault proxy is asked for. */
import type { LinkEffect } from '@troupe/faults'
import type { ProxyEffect } from '../proxy/toxic.ts'

/** Undefined for what has no meaning on a stream: TCP brings every byte once, and in its order. */
export function proxyEffectOf(effect: LinkEffect): ProxyEffect | undefined {
  switch (effect.kind) {
    case 'link':
      if (effect.mode === 'slow') return { toxic: { type: 'latency', timeMs: effect.timeMs } }
      return effect.mode === 'drop' ? 'cut' : 'jam'
    case 'delay': {
      const { kind: _, ...latency } = effect
      return { toxic: { type: 'latency', ...latency } }
    }
    case 'loss': {
      const { kind: _, ...chance } = effect
      return { toxic: { type: 'packet_loss', ...chance } }
    }
    case 'corrupt': {
      const { percent, correlation = 0 } = effect
      return { toxic: { type: 'corrupt', percent, correlation } }
    }
    case 'rate':
      return { toxic: { type: 'bandwidth', bytesPerSecond: effect.bytesPerSecond } }
    case 'slot': {
      const { kind: _, ...slots } = effect
      return { toxic: { type: 'slot', ...slots } }
    }
    // A stream has no queue that flows over: who sends too much waits.
    case 'limit':
    case 'duplicate':
    case 'reorder':
      return undefined
  }
}
