/** What a gateway remembers of its clients. */
import type { ClientConnection } from './client-connection.ts'
import type { NodeReply } from './protocol.ts'

/** Command frames of one client frame, on their way into an entry; without commands: its connection has closed. */
export interface WaitingFrames {
  readonly connection: ClientConnection
  readonly bytes: Uint8Array
  readonly session: number
  readonly first: number
  readonly commandCount: number
}

export interface ClientState {
  replies: NodeReply[]
  /** The session and the nonce that it used last. */
  session: number
  nonce: number
  /** A frame to it was dropped: some of its commands may have been answered unheard. */
  hasLostReplies: boolean
}

/** A session that somebody waits at this node for. */
export interface SessionOwner {
  connection: ClientConnection
  /** Last sequence number taken since the last change of leaders: what follows a refused frame is dropped. */
  takenThrough: number | undefined
  /** Last sequence number that an outcome was told of. */
  answeredThrough: number
  /** In which its last frame was taken. */
  term: number
}
