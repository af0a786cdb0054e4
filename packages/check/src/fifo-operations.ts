/** Operations of a FIFO queue. */

/** What is asked of a queue. Queues with different keys are different queues. */
export type FifoInput = { readonly key?: string } & (
  | { readonly op: 'enqueue'; readonly value: unknown }
  | { readonly op: 'dequeue' }
)

/** `dequeue`: the value, or null when the queue was empty. Values are plain, and never null or undefined. */
export type FifoOutput = unknown
