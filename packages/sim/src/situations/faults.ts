import { type SituationMaker, situation } from './situation.ts'

/** Lives, connections and frames that end when nobody expects it. */
export const faults: readonly SituationMaker[] = [
  situation('corrupted frame dropped', 'what came does not fit its checksum', (reached) => ({
    frameRefused: reached,
  })),
  situation(
    'answer for an earlier life',
    'it was asked by a start of this node that is no more',
    (reached) => ({
      strayed: ({ toIncarnation }, { node }) => {
        if (toIncarnation === node.incarnation) reached()
      },
    }),
  ),
  situation('answer for an earlier incarnation', 'of the same name, with another directory', (reached) => ({
    strayed: ({ toIncarnation }, { node }) => {
      if (toIncarnation !== node.incarnation) reached()
    },
  })),
  situation('paused leader woke up deposed', 'and still thinks that it leads', (reached, world) => ({
    led: ({ core, before }) => {
      if (before.role !== 'leader') return
      if (world.nowMs - before.atMs <= world.plan.knobs.electionTimeoutMaxMs) return
      const isLater = world.nodes.some(({ life }) => {
        return life?.core.role === 'leader' && life.core.term > core.term
      })
      if (isLater) reached()
    },
    became: ({ before }) => {
      if (before.role !== 'leader') return
      if (world.nowMs - before.atMs <= world.plan.knobs.electionTimeoutMaxMs) return
      if (world.nodes.some(({ life }) => life?.core.role === 'leader')) reached()
    },
  })),
  situation('closed connection to a living leader', 'a hint that is wrong', (reached, world) => ({
    event: {
      peerGone: ({ id }, { before }) => {
        if (before.leader !== id) return
        const leader = world.nodes.find((node) => node.id === id)
        if (leader?.life?.core.role === 'leader') reached()
      },
    },
  })),
  situation('death of a leader was proven', 'by its supervisor', (reached) => ({
    event: {
      peerExited: ({ id }, { before }) => {
        if (before.leader === id) reached()
      },
    },
  })),
  situation(
    'quorum was down and came back',
    'too few voters were up, and later something was committed',
    (reached, world) => {
      let isDown = false
      return {
        crashed: (_, { configuration: { voters } }) => {
          const up = voters.filter(({ id }) => world.nodes.some((node) => node.id === id && node.life))
          if (voters.length > 1 && up.length * 2 <= voters.length) isDown = true
        },
        committed: () => {
          if (!isDown) return
          isDown = false
          reached()
        },
      }
    },
  ),
  situation('nobody was up', 'and later something was committed', (reached, world) => {
    let isDark = false
    return {
      crashed: () => {
        if (world.nodes.length > 1 && world.nodes.every(({ life }) => life === undefined)) isDark = true
      },
      committed: () => {
        if (!isDark) return
        isDark = false
        reached()
      },
    }
  }),
]
