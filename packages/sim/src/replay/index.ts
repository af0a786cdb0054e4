export { describeTurn } from './describe-turn.ts'
export { type Difference, Replay } from './replay.ts'
