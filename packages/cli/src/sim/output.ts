/** What the commands of the simulator share in how they speak. */
import type { OutputStream } from '@troupe/benchmarks'
import { invalidOption } from '@troupe/core'
import { mutantNamed } from '@troupe/sim/mutants'
import { isCheckout, knownMutants, NEEDS_CHECKOUT } from './mutant-hook.ts'

/** @throws RaftError INVALID_OPTIONS where there is no such mutant, or no sources to change */
export function checkMutant(name: string, field = '--mutant'): void {
  if (mutantNamed(name) === undefined) throw invalidOption(field, name, knownMutants())
  if (!isCheckout) throw invalidOption(field, name, NEEDS_CHECKOUT)
}

/** Whoever reads the output has to know that the code is not as it is. */
export function sayMutant(name: string, out: OutputStream): void {
  const mutant = mutantNamed(name)
  if (mutant === undefined) return
  out.write(`mutant ${name}: ${mutant.slip}\n  breaks: ${mutant.rule} (${mutant.source})\n`)
}

/** In which runs the mutant can show, where it says so; else what was asked for. */
export const workloadFor = <Given extends string>(mutant: string | undefined, given: Given) =>
  mutantNamed(mutant ?? '')?.workload ?? given
