/**
 * Where clients' frames are on their way: for measuring. A frame is named by its session and its first command, on both
 * sides, so that nothing is added to what is sent. Nobody listens by default; called once a frame, never once a command.
 */

/** Told by the gateway. */
export interface GatewayTracer {
  /** A frame was looked at, and waits for its entry. */
  taken(session: number, first: number): void
  /** It is part of the entry at `index`; negative where that was handed to the leader. */
  proposed(session: number, first: number, index: number): void
}

/** Told by a client. */
export interface ClientTracer {
  /**
   * A message is about to leave for the first time, or once more where the link did not take it.
   * @param deadlineMs of the call of its first command
   */
  sending(session: number, first: number, commandCount: number, deadlineMs: number): void
  /** The outcomes from `first` on have come. */
  answered(session: number, first: number): void
}
