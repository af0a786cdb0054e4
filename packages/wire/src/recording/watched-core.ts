import { RaftCore, type Ready } from '@troupe/core'
import type { TurnAccount } from './turn-account.ts'

/** A core whose every Ready is put to account before anybody acts on it. Does what any other does. */
export class WatchedCore extends RaftCore {
  readonly #account: TurnAccount

  constructor(account: TurnAccount, ...core: ConstructorParameters<typeof RaftCore>) {
    super(...core)
    this.#account = account
    account.startsFrom(this.configuration)
  }

  override ready(mayApply?: boolean): Ready {
    const ready = super.ready(mayApply)
    this.#account.ready(ready)
    return ready
  }
}
