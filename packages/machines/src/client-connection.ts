/** What a node is told of its clients, and what it can do with a connection. */

/** A client's connection as the node sees it. */
export interface ClientConnection {
  /** Sends a frame that owns its memory; false where the client reads too slowly: the frame is dropped. */
  send(frame: Uint8Array): boolean
  /** @param offence what was wrong with what came over it, where it is closed for that */
  close(offence?: string): void
}

export type ClientEvent =
  | { readonly kind: 'opened'; readonly connection: ClientConnection }
  | { readonly kind: 'frame'; readonly connection: ClientConnection; readonly bytes: Uint8Array }
  | { readonly kind: 'closed'; readonly connection: ClientConnection }
