/** What the fault proxy can do to streams, in toxiproxy's words. Plain data. */
import type { GilbertElliott, Latency, LossStates, Slots } from '@troupe/faults'

/** In percent: a chance for each piece of a stream that is read; `correlation` is that it fares as the one before. */
interface Chance {
  readonly percent: number
  /** @default 0 */
  readonly correlation?: number
}

/** One kind of harm to a stream of bytes. */
export type Toxic =
  /** Everything arrives later, and in its order. */
  | ({ readonly type: 'latency' } & Latency)
  | { readonly type: 'bandwidth'; readonly bytesPerSecond: number }
  /** The end of the stream arrives later. */
  | { readonly type: 'slow_close'; readonly delayMs: number }
  /** Nothing arrives, and both ends are closed after that time; 0: never, they hang until the toxic is taken away. */
  | { readonly type: 'timeout'; readonly timeoutMs: number }
  /** Both ends are reset after that time. */
  | { readonly type: 'reset_peer'; readonly timeoutMs: number }
  /** In small pieces, with that time between them. */
  | {
      readonly type: 'slicer'
      readonly averageBytes: number
      readonly variationBytes: number
      readonly delayMs: number
    }
  /** Both ends are closed when that much has arrived. */
  | { readonly type: 'limit_data'; readonly bytes: number }
  /**
   * A stream loses nothing: what is lost is sent again. So a lost piece, and everything behind it, is late by TCP's shortest
   * time until that, which doubles with each further loss.
   */
  | ({ readonly type: 'packet_loss' } & (
      | Chance
      | { readonly gilbertElliott: GilbertElliott }
      | { readonly states: LossStates }
    ))
  /** Pieces leave by turns, in their order. Not one of toxiproxy's. */
  | ({ readonly type: 'slot' } & Slots)
  /** A flipped bit. Not one of toxiproxy's. */
  | ({ readonly type: 'corrupt' } & Chance)

/** A toxic as it is put on links. */
export interface ToxicOrder {
  readonly toxic: Toxic
  /** Share of the connections that have it, in percent, drawn for each. @default 100 */
  readonly toxicity?: number
}

/**
 * What is put on a directed link. `cut`: nothing arrives any more, new connections hang, and those that have lost something are
 * reset when it ends. `jam`: the same, but everything arrives then.
 */
export type ProxyEffect = ToxicOrder | 'cut' | 'jam'
