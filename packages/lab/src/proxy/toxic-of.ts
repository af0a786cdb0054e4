/** A toxic as files write it, in toxiproxy's words, becomes one of the proxy's. */
import type { StepFields } from '../scenario/steps.ts'
import type { Toxic } from './toxic.ts'

/** What the type needs is there: that was looked at when the file was read. */
export function toxicOf({ type, attributes: given }: StepFields['toxic']): Toxic {
  const { latency = 0, jitter = 0, rate = 1, delay = 0, timeout = 0, bytes = 1 } = given
  switch (type) {
    case 'latency':
      return { type, timeMs: latency, jitterMs: jitter }
    case 'bandwidth':
      return { type, bytesPerSecond: rate }
    case 'slow_close':
      return { type, delayMs: delay }
    case 'timeout':
    case 'reset_peer':
      return { type, timeoutMs: timeout }
    case 'slicer': {
      const { average_size: averageBytes = 1, size_variation: variationBytes = 0 } = given
      return { type, averageBytes, variationBytes, delayMs: delay }
    }
    case 'limit_data':
      return { type, bytes }
    case 'packet_loss':
      return { type, percent: given.percent ?? 0, correlation: given.correlation ?? 0 }
  }
}

/** `latency of 200 ms ± 50 ms`, for timelines. */
export function describeToxic({ type, ...rest }: Toxic): string {
  const parts = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return `${type} ${parts.join(' ')}`
}
