/** Slips in the queue machine: what its promises rest on. Found by runs with a queue. */
import type { Mutant } from './mutant.ts'

const workload = 'queue'

export const queueMutants: readonly Mutant[] = [
  {
    name: 'queue-key-is-no-order',
    rule: 'Of one key one message is on its way at a time, in the order in which they were sent.',
    source: 'docs/queue-guarantees.md (order)',
    slip: 'a message is ready at once, whoever of its key is on its way',
    file: 'machines/src/queue/queue-state.ts',
    from: 'if (active === 0 || active === slot) {',
    to: 'if (slot !== 0) {',
    workload,
  },
  {
    name: 'queue-id-is-taken-again',
    rule: 'A message that is sent again under its id is enqueued once.',
    source: 'docs/queue-guarantees.md (exactly-once enqueue)',
    slip: 'an id that is known is not looked at',
    file: 'machines/src/queue/sending.ts',
    from: 'if (id !== 0 && isRemembered(state, id)) {',
    to: 'if (id < 0) {',
    workload,
  },
  {
    name: 'queue-lease-end-is-an-ack',
    rule: 'A message whose lease ends is delivered again.',
    source: 'docs/queue-guarantees.md (at-least-once delivery)',
    slip: 'a message whose lease ends is done with',
    file: 'machines/src/queue/upkeep.ts',
    from: 'if (messages.stateOf(slot) === MessageState.active) return giveBack(state, lane, slot)',
    to: 'if (messages.stateOf(slot) === MessageState.active) return state.finish(lane, slot)',
    workload,
  },
  {
    name: 'queue-consumers-begin-anew',
    rule: 'The number of a consumer is never given out again: it is a part of every snapshot.',
    source: 'docs/queue-guarantees.md (the same decisions on every replica)',
    slip: 'a restored state does not know the last number of a consumer',
    file: 'machines/src/queue/queue-saving.ts',
    from: 'state.topology.lastConsumer = one()',
    to: 'one()',
    workload,
  },
]
