import type { Losses } from '../verify.ts'

/** What a count of stored commands says: fewer than were acknowledged are lost, more than may be are duplicates. */
export function lossesOf(acknowledged: number, unknown: number, stored: number): Losses {
  return {
    lost: Math.max(0, acknowledged - stored),
    duplicated: Math.max(0, stored - acknowledged - unknown),
  }
}
