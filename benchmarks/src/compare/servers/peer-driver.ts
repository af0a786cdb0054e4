/** How a peer's three nodes are started. */
import type { Transferable } from 'node:worker_threads'
import { invariant } from '@troupe/core'
import type { Bench } from '../../bench.ts'
import type { PeerName } from '../client-protocol.ts'
import type { Facts } from '../contestant.ts'
import { findProgram, type Needs } from '../programs.ts'
import type { ServerGroup } from '../server-group.ts'

export interface Started {
  readonly version: string
  /** For the peer's client. */
  readonly endpoint: unknown
  /** Ports in it. */
  readonly transferList?: readonly Transferable[]
}

export interface PeerDriver {
  readonly facts: Facts & { readonly name: PeerName }
  readonly needs: Needs
  /** About how long `start` takes. */
  readonly startMs: number
  /** Starts three nodes and waits until they take commands. `servers` ends its processes, `bench` whatever else. */
  start(servers: ServerGroup, bench: Bench): Promise<Started>
}

/**
 * The file of a program that was found before.
 * @param folder where to look first
 */
export function programOf(name: string, folder?: string): string {
  const program = (folder === undefined ? undefined : findProgram(name, folder)) ?? findProgram(name)
  invariant(program !== undefined, `${name} is installed`)
  return program
}
