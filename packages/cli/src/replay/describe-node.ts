import { type Configuration, isJoint, type NodeDriver } from '@troupe/core'

/** Everything that a reader asks of a node first. */
export function describeNodeAt({ core, applied, isInstalling }: NodeDriver<never>): readonly string[] {
  const { role, term, vote, leader, commitIndex, lastIndex, stableIndex, baseIndex, configuration } = core
  const lines = [
    `${role} in term ${term}, leader ${leader ?? 'unknown'}, vote ${vote || 'none'}`,
    `log ${baseIndex + 1}..${lastIndex}, flushed to ${stableIndex}, committed to ${commitIndex}, applied to ${applied}`,
    describeConfiguration(configuration),
  ]
  if (isInstalling) lines.push('loads a snapshot')
  for (const [id, { match, next }] of core.progress) lines.push(`${id}: match ${match}, next ${next}`)
  if (core.votes.size > 0)
    lines.push(`votes ${[...core.votes].map(([id, isFor]) => `${id} ${isFor ? 'yes' : 'no'}`).join(', ')}`)
  return lines
}

function describeConfiguration(configuration: Configuration): string {
  const names = (members: Configuration['voters']): string => members.map(({ id }) => id).join(' ') || 'none'
  const { voters, outgoing, learners } = configuration
  const joint = isJoint(configuration) ? `, with the outgoing ${names(outgoing)}` : ''
  return `voters ${names(voters)}${joint}; learners ${names(learners)}`
}
