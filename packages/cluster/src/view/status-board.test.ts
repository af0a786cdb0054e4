import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Configuration, EMPTY_CONFIGURATION, simpleConfiguration } from '@troupe/core'
import fc from 'fast-check'
import { MAX_PIECES, type NodeNews, packNews, readNews } from './node-news.ts'
import { StatusBoard } from './status-board.ts'

const times = { electionTimeoutMaxMs: 600, heartbeatIntervalMs: 50 }
const three = simpleConfiguration(['n1', 'n2', 'n3'].map((id, at) => ({ id, incarnation: 10 + at })))

const newsAt = (commit: number, change: Partial<NodeNews> = {}): NodeNews => ({
  role: 'follower',
  term: 1,
  leader: null,
  commit,
  applied: commit,
  lastIndex: commit,
  disk: 'ok',
  mailboxDepth: 1,
  ...change,
})

/** Boards and the links between them; time passes when it is told to. */
class Mesh {
  nowMs = 1000
  commit = 0
  readonly boards = new Map<string, StatusBoard>()
  readonly links = new Set<string>()
  configuration: Configuration = three

  board(id: string): StatusBoard {
    return this.boards.get(id) as StatusBoard
  }

  start(id: string, boot: number, incarnation = 9 + Number(id.slice(1))): void {
    const owner = { id, incarnation, boot }
    this.boards.set(id, new StatusBoard(owner, times, () => this.configuration, this.nowMs))
  }

  link(a: string, b: string): void {
    this.links.add(`${a} ${b}`).add(`${b} ${a}`)
    this.board(a).peerUp(b)
    this.board(b).peerUp(a)
  }

  cut(a: string, b: string): void {
    this.links.delete(`${a} ${b}`)
    this.links.delete(`${b} ${a}`)
    this.board(a).peerGone(b)
    this.board(b).peerGone(a)
  }

  /** One node spreads; each frame takes so long. `loses` tells which of them are lost. */
  spread(id: string, wayMs = 0, loses: (to: string) => boolean = () => false): string[] {
    const told: string[] = []
    this.board(id).spread(newsAt(++this.commit), this.nowMs, (to, body) => {
      if (!this.links.has(`${id} ${to}`) || loses(to)) return
      for (const piece of readNews(body)?.pieces ?? []) told.push(`${piece.id} to ${to}`)
      this.board(to).take(id, body, this.nowMs + wayMs)
    })
    return told
  }

  seen(by: string, id: string) {
    return this.board(by)
      .view(newsAt(0), this.nowMs)
      .find((member) => member.id === id)
  }
}

function chain(): Mesh {
  const mesh = new Mesh()
  for (const id of ['n1', 'n2', 'n3']) mesh.start(id, 1)
  mesh.link('n1', 'n2')
  mesh.link('n2', 'n3')
  return mesh
}

describe('what nodes spread of themselves', () => {
  it('comes to those that have no link to them, with the age that the hops tell', () => {
    const mesh = chain()
    mesh.spread('n1')
    mesh.nowMs += 30
    mesh.spread('n2')
    mesh.nowMs += 5
    const seen = mesh.seen('n3', 'n1')
    assert.equal(seen?.ageMs, 35)
    assert.equal(seen?.news?.commit, 1)
    assert.equal(seen?.standing, 'voter')
    assert.equal(mesh.seen('n3', 'n3')?.ageMs, 0)
  })

  it('is sent to each once, and not back to where it came from', () => {
    const mesh = chain()
    assert.deepEqual(mesh.spread('n1'), ['n1 to n2'])
    assert.deepEqual(mesh.spread('n2'), ['n2 to n1', 'n2 to n3', 'n1 to n3'])
    assert.deepEqual(mesh.spread('n2'), ['n2 to n1', 'n2 to n3'])
    // A new link: what the other end has seen over the old one may have been another start of it.
    mesh.cut('n2', 'n3')
    mesh.link('n2', 'n3')
    assert.deepEqual(mesh.spread('n2'), ['n2 to n1', 'n2 to n3', 'n1 to n3'])
  })

  it('is replaced by what is newer alone, also where older news come late by another way', () => {
    const mesh = chain()
    mesh.link('n1', 'n3')
    mesh.spread('n1')
    mesh.nowMs += 10
    mesh.spread('n1', 0, (to) => to === 'n2')
    mesh.nowMs += 10
    // n2 has the older word only.
    mesh.spread('n2')
    assert.equal(mesh.seen('n3', 'n1')?.news?.commit, 2)
    assert.equal(mesh.seen('n3', 'n1')?.ageMs, 10)
  })

  it('of a later start comes before that of an earlier one, whatever the numbers', () => {
    const mesh = chain()
    for (let count = 0; count < 5; count++) mesh.spread('n1')
    mesh.spread('n2')
    mesh.cut('n1', 'n2')
    mesh.nowMs += 100
    mesh.start('n1', 0)
    mesh.link('n1', 'n2')
    mesh.spread('n1')
    mesh.spread('n2')
    assert.equal(mesh.seen('n3', 'n1')?.news?.commit, 7)
    assert.equal(mesh.seen('n3', 'n1')?.ageMs, 0)
  })

  it('of an incarnation that is no member any more does not hide that of the member', () => {
    const mesh = chain()
    mesh.spread('n1')
    mesh.spread('n2')
    const imposter = new StatusBoard({ id: 'n1', incarnation: 99, boot: 7 }, times, () => three, 0)
    imposter.peerUp('n2')
    mesh.nowMs += 10
    imposter.spread(newsAt(500), mesh.nowMs, (_, body) => mesh.board('n2').take('n1', body, mesh.nowMs))
    assert.equal(mesh.seen('n2', 'n1')?.news?.commit, 1)
    assert.equal(mesh.seen('n2', 'n1')?.ageMs, 10)
  })
})

describe('a board', () => {
  it('keeps members and those that have a link; others are passed over, and forgotten with their membership', () => {
    const mesh = chain()
    mesh.start('n4', 1)
    mesh.start('n5', 1)
    mesh.link('n4', 'n1')
    mesh.link('n5', 'n4')
    mesh.spread('n5')
    mesh.spread('n4')
    assert.equal(mesh.seen('n1', 'n4')?.standing, 'guest')
    assert.equal(mesh.seen('n1', 'n5'), undefined)
    mesh.spread('n2')
    mesh.configuration = simpleConfiguration(three.voters.filter(({ id }) => id !== 'n3'))
    assert.equal(mesh.seen('n1', 'n3'), undefined)
    mesh.cut('n4', 'n1')
    assert.equal(mesh.seen('n1', 'n4'), undefined)
  })

  it('holds a bounded number of pieces where it knows no member', () => {
    const board = new StatusBoard({ id: 'n1', incarnation: 1, boot: 1 }, times, () => EMPTY_CONFIGURATION, 0)
    board.peerUp('n2')
    for (let from = 0; from < 500; from += 50) {
      const pieces = Array.from({ length: 50 }, (_, at) => ({
        ...{ id: `x${from + at}`, incarnation: 1, boot: 1, count: 1, ageMs: 0 },
        news: newsAt(1),
      }))
      board.take('n2', packNews({ number: 1, echoed: 0, heldMs: 0, pieces }), 0)
    }
    assert.equal(board.view(newsAt(0), 0).length, 2 + MAX_PIECES)
  })

  it('gives the room of guests to members, however many there are', () => {
    const mesh = new Mesh()
    for (const id of ['n1', 'n2', 'n3']) mesh.start(id, 1)
    for (let guest = 100; guest < 100 + MAX_PIECES; guest++) {
      mesh.start(`n${guest}`, 1)
      mesh.link('n1', `n${guest}`)
      mesh.spread(`n${guest}`)
    }
    mesh.link('n1', 'n2')
    mesh.link('n1', 'n3')
    mesh.spread('n2')
    mesh.spread('n3')
    assert.equal(mesh.seen('n1', 'n2')?.ageMs, 0)
    assert.equal(mesh.seen('n1', 'n3')?.ageMs, 0)
    // Nor does one more guest take the place of another.
    mesh.start('n1000', 1)
    mesh.link('n1', 'n1000')
    mesh.spread('n1000')
    assert.equal(mesh.seen('n1', 'n1000')?.ageMs, null)
  })

  it('passes over what makes no sense, and over fields that it does not know', () => {
    const board = new StatusBoard({ id: 'n1', incarnation: 10, boot: 1 }, times, () => three, 0)
    board.peerUp('n2')
    for (const body of [undefined, 7, [], ['1', 0, 0, []], [1, 0, -1, []], [1, 0, 0, {}]]) {
      board.take('n2', body, 0)
    }
    assert.equal(board.ignored, 6)
    const sound = ['n2', 11, 1, 1, 0, 0, 1, '', 5, 5, 5, 0, 0]
    const broken = sound.map((_, at) => sound.map((field, place) => (place === at ? {} : field)))
    board.take('n2', [1, 0, 0, [...broken, null, 3, []]], 0)
    assert.equal(board.view(newsAt(0), 0).find(({ id }) => id === 'n2')?.news, null)
    board.take('n2', [2, 0, 0, [[...sound, 'later'], 9], 'later'], 0)
    assert.equal(board.view(newsAt(0), 0).find(({ id }) => id === 'n2')?.news?.commit, 5)
  })

  it('suspects whom nobody has heard for two election timeouts; sooner without a link; not right after its own start', () => {
    const mesh = chain()
    const suspicion = () => mesh.seen('n3', 'n1')?.suspicion
    assert.equal(suspicion(), null)
    mesh.nowMs += 1201
    assert.equal(suspicion(), 'never heard of')
    mesh.spread('n1')
    mesh.spread('n2')
    assert.equal(suspicion(), null)
    mesh.nowMs += 301
    assert.equal(suspicion(), 'link closed')
    mesh.link('n1', 'n3')
    assert.equal(suspicion(), null)
    mesh.nowMs += 900
    assert.equal(suspicion(), 'silent')
  })

  it('measures round trips by what is echoed, without the time that it was held', () => {
    const mesh = chain()
    mesh.spread('n1')
    mesh.nowMs += 40
    mesh.spread('n2', 2)
    const trips = mesh.board('n1').roundTrips.get('n2')?.histogram.reading()
    assert.deepEqual(
      trips?.counts.reduce((sum, count) => sum + count, 0),
      1,
    )
    assert.ok(Math.abs((trips?.sum ?? 0) - 0.002) < 1e-9)
    mesh.spread('n2', 2)
    // An echo that was counted is not counted again.
    assert.equal(mesh.board('n1').roundTrips.get('n2')?.histogram.reading().sum, trips?.sum)
  })
})

describe('whatever is lost, late or restarted', () => {
  type Step =
    | { readonly kind: 'spread'; readonly at: number; readonly wayMs: number; readonly lost: number }
    | { readonly kind: 'restart' | 'cut'; readonly at: number; readonly other: number }
    | { readonly kind: 'wait'; readonly ms: number }
  const names = ['n1', 'n2', 'n3', 'n4']
  const all = simpleConfiguration(names.map((id, at) => ({ id, incarnation: 10 + at })))
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('spread' as const),
        at: fc.nat(3),
        wayMs: fc.nat(20),
        lost: fc.nat(15),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('restart' as const, 'cut' as const),
        at: fc.nat(3),
        other: fc.nat(3),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(100) }) },
  )

  function linkAll(mesh: Mesh): void {
    for (const a of names) for (const b of names) if (a < b && !mesh.links.has(`${a} ${b}`)) mesh.link(a, b)
  }

  function take(mesh: Mesh, each: Step, boots: () => number): void {
    if (each.kind === 'wait') mesh.nowMs += each.ms
    else if (each.kind === 'spread')
      mesh.spread(names[each.at] as string, each.wayMs, (to) => ((each.lost >> names.indexOf(to)) & 1) === 1)
    else if (each.kind === 'cut') {
      if (each.at !== each.other) mesh.cut(names[each.at] as string, names[each.other] as string)
    } else {
      const id = names[each.at] as string
      for (const other of names) if (other !== id) mesh.cut(id, other)
      mesh.start(id, boots())
      for (const other of names) if (other !== id) mesh.link(id, other)
    }
  }

  it('no view of one start goes back, no age is above the true one, and once all is well all see the latest of all', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.infiniteStream(fc.nat()), (steps, boots) => {
        const mesh = new Mesh()
        mesh.configuration = all
        const boot = (): number => boots.next().value as number
        for (const id of names) mesh.start(id, boot())
        linkAll(mesh)
        const saidMs = new Map<number, number>()
        for (const each of steps) {
          const before = names.map((id) => mesh.seen('n1', id)?.news?.commit ?? 0)
          take(mesh, each, boot)
          if (each.kind === 'spread') saidMs.set(mesh.commit, mesh.nowMs)
          const isAnew = each.kind === 'restart'
          for (const [at, id] of names.entries()) {
            const seen = mesh.seen('n1', id)
            if (id === 'n1' || seen?.news == null) continue
            assert.ok(isAnew || seen.news.commit >= (before[at] as number))
            assert.ok((seen.ageMs ?? 0) <= mesh.nowMs - (saidMs.get(seen.news.commit) as number))
          }
        }
        mesh.nowMs += 1000
        linkAll(mesh)
        const latest = new Map<string, number>()
        for (const id of names) {
          mesh.spread(id)
          latest.set(id, mesh.commit)
        }
        for (const by of names)
          for (const id of names) if (by !== id) assert.equal(mesh.seen(by, id)?.news?.commit, latest.get(id))
      }),
    )
  })
})
