/** What is done with a queue, as data: by whose user, and how. */
import type { Done } from '../sim-client.ts'
import type { OperationDeed, QueueDeed } from '../step.ts'
import type { QueueUser } from './queue-user.ts'

/** False where it makes no sense now; `done` is told of the outcome of what was begun. */
export function doWithQueue(user: QueueUser, deed: QueueDeed | OperationDeed, done: Done): boolean {
  const { withinMs } = deed
  switch (deed.do) {
    case 'send':
      user.send(deed, withinMs, done)
      return true
    case 'sendAgain':
      return user.sendAgain(withinMs, done)
    // Scenes ask for something: what a queue has is as good.
    case 'read':
    case 'fetch':
      user.fetch(deed.consistency, deed.node, withinMs, done)
      return true
    case 'settle':
      return user.settle(deed.how, deed.most, withinMs, done)
    case 'leave':
      return user.leave(deed.silently, withinMs, done)
    case 'redrive':
      user.redrive(withinMs, done)
      return true
    case 'write':
      return false
  }
}
