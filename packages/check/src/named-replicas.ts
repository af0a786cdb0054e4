/** Replicas as a check by name: each says what it has applied and the SHA-256 of its state. */
import { compareDigests, type DigestResult } from './digests.ts'
import type { Operation } from './history.ts'
import { type NamedModel, ValueProblem } from './named-model.ts'
import type { CheckFailure } from './report.ts'
import { shownOperations } from './report.ts'

/** A question for a digest. */
export interface ReplicaInput {
  readonly op: 'digest'
}

/** Index of the last entry applied, and the SHA-256 of the state after it, in hexadecimal digits. */
export interface ReplicaOutput {
  readonly applied: number
  readonly sha256: string
}

type ReplicaOperation = Operation<ReplicaInput, ReplicaOutput>

const EXPECTED = '{ "applied": INDEX, "sha256": "64 hexadecimal digits" }'

const replicas: NamedModel<ReplicaInput, ReplicaOutput> = {
  name: 'replicas',
  summary: 'replicas that have applied the same have the same state, by SHA-256; each is a process',
  ops: ['digest'],
  functions: { digest: `none; the response has ${EXPECTED}` },
  decodeCall: () => ({ op: 'digest' }),
  decodeReturn: (_input, { value }) => {
    const { applied, sha256 } = (value ?? {}) as Readonly<Record<string, unknown>>
    const isDigest = typeof sha256 === 'string' && /^[0-9a-f]{64}$/i.test(sha256)
    if (isDigest && typeof applied === 'number' && Number.isSafeInteger(applied) && applied >= 0) {
      return { applied, sha256: sha256.toLowerCase() }
    }
    throw new ValueProblem('value', value, EXPECTED)
  },
  check(operations) {
    const answered = operations.filter((each) => each.outcome === 'ok')
    const result = compareDigests(
      answered.flatMap(({ process, output }) =>
        output === undefined ? [] : [{ node: process, applied: output.applied, digest: output.sha256 }],
      ),
    )
    const { verdict, divergences, behind } = result
    return {
      model: this.name,
      verdict,
      operationCount: answered.length,
      partitionCount: 1,
      stepCount: 0,
      reason: verdict === 'unknown' ? reasonOf(behind) : undefined,
      undecided: [],
      failure: verdict === 'fail' ? failureOf(answered, result) : undefined,
      figures: { replicaCount: new Set(answered.map(({ process }) => process)).size, behind, divergences },
    }
  },
}

const reasonOf = (behind: readonly (string | number)[]): string =>
  behind.length === 0 ? 'there are no digests' : `not at the highest index: ${behind.join(', ')}`

function failureOf(operations: readonly ReplicaOperation[], { divergences }: DigestResult): CheckFailure {
  const [first] = divergences
  const applied = first?.applied ?? 0
  const witnesses = operations.filter(({ output }) => output?.applied === applied)
  const [blocked = operations[0] as ReplicaOperation] = witnesses
  const describe = ({ output }: ReplicaOperation): string =>
    `applied ${output?.applied}: ${output?.sha256.slice(0, 12)}…`
  return {
    partition: '',
    reason: `replicas differ after entry ${applied}: ${first?.differing.join(', ')}`,
    isShortest: false,
    prefixLength: undefined,
    operations: shownOperations(witnesses, blocked, witnesses, [], describe).map((each) => ({
      ...each,
      role: 'witness' as const,
    })),
    omittedCount: operations.length - witnesses.length,
    states: [],
  }
}

export const replicaModels: readonly NamedModel[] = [replicas] as readonly NamedModel[]
