/**
 * The connections of a client on threads, opened again where one was closed although its node runs: what a network does not do to
 * ports, the laboratory does, and clients over TCP would dial again.
 */
import {
  type ClientLink,
  type ClientLinkEvents,
  type ClientLinks,
  type Cluster,
  PortLinks,
} from '@troupe/cluster'

const REOPEN_MS = 30

export class ReopenedLinks implements ClientLinks {
  readonly nodes: Iterable<string>
  readonly durability: ClientLinks['durability']
  readonly #cluster: Cluster
  readonly #feeds = new Set<ClientLinks>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #first: ClientLinks
  #isClosed = false

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#first = this.#feed()
    this.nodes = this.#first.nodes
    this.durability = this.#first.durability
  }

  start(events: ClientLinkEvents): void {
    const reopening: ClientLinkEvents = {
      ...{ opened: events.opened, frame: events.frame, writable: events.writable, ended: events.ended },
      closed: (node, link) => {
        events.closed(node, link)
        this.#later(node, reopening)
      },
    }
    this.#first.start(reopening)
  }

  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const feed of this.#feeds) feed.close()
  }

  #feed(): ClientLinks {
    const feed = new PortLinks(this.#cluster.clientPort())
    this.#feeds.add(feed)
    return feed
  }

  #later(node: string, events: ClientLinkEvents): void {
    if (this.#isClosed) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      // One that starts again brings a connection by itself.
      if (!this.#isClosed && this.#cluster.isUp(node)) this.#reopen(node, events)
    }, REOPEN_MS)
    this.#timers.add(timer)
  }

  /** A fresh feed has ports to all nodes: the one is kept. */
  #reopen(node: string, events: ClientLinkEvents): void {
    const feed = this.#feed()
    const kept = new Set<ClientLink>()
    feed.start({
      opened: (other, link) => {
        if (other !== node || kept.size > 0 || this.#isClosed) return link.close()
        kept.add(link)
        feed.close()
        this.#feeds.delete(feed)
        events.opened(node, link)
      },
      frame: (other, link, frame) => {
        if (kept.has(link)) events.frame(other, link, frame)
      },
      writable: () => events.writable(),
      closed: (other, link) => {
        if (kept.has(link)) events.closed(other, link)
      },
      ended: () => {},
    })
  }
}
