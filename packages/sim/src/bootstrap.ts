/** What nodes begin with, by the plan. */
import { type Configuration, type Member, simpleConfiguration } from '@troupe/core'
import type { Plan } from './plan.ts'
import { firstIncarnation, type NodeSettings, nodeId } from './sim-node.ts'

export function settingsOf(plan: Plan): NodeSettings {
  const { seed, knobs, priorities, gateway, sessions, disk, stateOnDisk, turn, queue } = plan
  return { seed, knobs, priorities, gateway, sessions, disk, stateOnDisk, turn, queue }
}

export function bootstrapOf({ voters, learners }: Plan): Configuration {
  const member = (_: unknown, at: number): Member => ({ id: nodeId(at), incarnation: firstIncarnation(at) })
  const all = Array.from({ length: voters + learners }, member)
  return simpleConfiguration(all.slice(0, voters), all.slice(voters))
}
