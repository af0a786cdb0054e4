import type { FramedSocket } from './framed-socket.ts'
import type { LaneQueue } from './lanes.ts'

/**
 * The sending side of one connection to a peer: its lanes, of which only so much is handed to the socket that something
 * more urgent never has more than that before it.
 */
export class PeerChannel {
  readonly framed: Pick<FramedSocket, 'unsentBytes' | 'isClosed' | 'send'>
  readonly #lanes: readonly LaneQueue[]
  readonly #maxSocketBytes: number
  /** Made once: a write for each turn is no reason for a closure for each turn. */
  readonly #taken = (): void => this.flush()

  /** @param lanes the most urgent one first */
  constructor(framed: PeerChannel['framed'], lanes: readonly LaneQueue[], maxSocketBytes: number) {
    this.framed = framed
    this.#lanes = lanes
    this.#maxSocketBytes = maxSocketBytes
  }

  /** Frames that wait in the lanes. */
  get waitingFrames(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.frameCount, 0)
  }

  /** Hands on what the socket has room for, in one write. Goes on by itself when the kernel has taken that. */
  flush(): void {
    const { framed } = this
    let roomBytes = this.#maxSocketBytes - framed.unsentBytes
    if (roomBytes <= 0 || framed.isClosed) return
    const frames: Uint8Array[] = []
    for (const lane of this.#lanes) {
      while (roomBytes > 0) {
        const frame = lane.shift()
        if (frame === undefined) break
        frames.push(frame)
        roomBytes -= frame.byteLength
      }
    }
    if (frames.length > 0) framed.send(frames, this.#taken)
  }
}
