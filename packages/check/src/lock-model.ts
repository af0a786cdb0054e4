/**
 * A lock with fencing tokens: one holder at a time, and every acquisition has a higher token than all before it, so that
 * a resource can refuse who believes to hold what it has lost.
 */
import { type Model, partitionBy } from './model.ts'

/**
 * What is asked of a lock. `release` may name the token that it gives back; `expire` takes the lock from its holder,
 * as a service does whose leases end.
 */
export type LockInput = { readonly key?: string } & (
  | { readonly op: 'acquire'; readonly owner: number }
  | { readonly op: 'release'; readonly owner: number; readonly token?: number }
  | { readonly op: 'expire' }
)

/** `acquire`: the token, an integer; undefined where the lock has none. */
export type LockOutput = number | undefined

/** Who holds it, and the last token given. */
export interface LockState {
  /** Null when it is free. */
  readonly owner: number | null
  /** The last token; of one that nobody was told the lowest that it can have been, which is as good as any other. */
  readonly token: number
  /** Whether `token` is known, not just a lower bound. */
  readonly isKnown: boolean
}

/** The model of a lock that is free at first, with tokens above 0. */
export const lockModel: Model<LockState, LockInput, LockOutput> = {
  name: 'lock',
  initial: { owner: null, token: 0, isKnown: true },
  step: (state, input, output) => {
    switch (input.op) {
      case 'acquire':
        return acquired(state, input.owner, output)
      case 'release':
        return released(state, input.owner, input.token)
      case 'expire':
        return state.owner === null ? state : { ...state, owner: null }
    }
  },
  partition: (operations) => partitionBy(operations, ({ key = 'lock' }) => key),
  equal: (left, right) =>
    left.owner === right.owner && left.token === right.token && left.isKnown === right.isKnown,
  hash: ({ owner, token, isKnown }) => Math.imul(token, 31) ^ ((owner ?? -1) + 1) ^ (isKnown ? 1 << 30 : 0),
  describe: (input, output, isOpen) => {
    const answer = isOpen ? ' → ?' : output === undefined ? '' : ` → token ${output}`
    switch (input.op) {
      case 'acquire':
        return `acquire${answer}`
      case 'release':
        return `release${input.token === undefined ? '' : ` token ${input.token}`}${isOpen ? ' → ?' : ''}`
      case 'expire':
        return `expire${isOpen ? ' → ?' : ''}`
    }
  },
  describeState: ({ owner, token, isKnown }) => {
    const last = isKnown ? `last token ${token}` : `last token at least ${token}`
    return owner === null ? `free, ${last}` : `held by process ${owner}, ${last}`
  },
}

function acquired(state: LockState, owner: number, token: number | undefined): LockState | undefined {
  if (state.owner !== null) return undefined
  if (token === undefined) return { owner, token: state.token + 1, isKnown: false }
  return token > state.token ? { owner, token, isKnown: true } : undefined
}

function released(state: LockState, owner: number, token: number | undefined): LockState | undefined {
  if (state.owner !== owner) return undefined
  if (token === undefined) return { ...state, owner: null }
  const isIts = state.isKnown ? token === state.token : token >= state.token
  return isIts ? { owner: null, token, isKnown: true } : undefined
}
