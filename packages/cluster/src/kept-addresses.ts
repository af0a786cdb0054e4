import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeId } from '@troupe/core'
import { writeFileAtomic } from '@troupe/store'
import { type Address, formatAddress, parseAddress } from '@troupe/transport'

const FILE = 'addresses.json'

/**
 * Addresses of nodes that were added while this one ran, in its directory: the list it was started with may not have them
 * yet. Where both know a node, the list that it was started with is right. Nothing is promised by it: what cannot be read
 * is as good as nothing.
 */
export class KeptAddresses {
  readonly #file: string
  readonly #addresses = new Map<NodeId, Address>()

  constructor(directory: string) {
    this.#file = join(directory, FILE)
    if (!existsSync(this.#file)) return
    try {
      const found = JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, string>
      for (const [id, address] of Object.entries(found)) this.#addresses.set(id, parseAddress(address))
    } catch {
      this.#addresses.clear()
    }
  }

  get all(): ReadonlyMap<NodeId, Address> {
    return this.#addresses
  }

  set(id: NodeId, address: Address): void {
    this.#addresses.set(id, address)
    this.#write()
  }

  delete(id: NodeId): void {
    if (this.#addresses.delete(id)) this.#write()
  }

  #write(): void {
    const entries = Array.from(this.#addresses, ([id, address]) => [id, formatAddress(address)])
    writeFileAtomic(this.#file, `${JSON.stringify(Object.fromEntries(entries))}\n`)
  }
}
