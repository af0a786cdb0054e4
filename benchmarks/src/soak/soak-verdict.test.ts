import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { EpochVerification } from './soak-protocol.ts'
import type { NodeSample, RestSample, SoakSample } from './soak-sample.ts'
import { type Check, checkSoak, MIN_SECONDS, type SoakEvidence, verdictOfChecks } from './soak-verdict.ts'

const MIB = 1 << 20
const SECONDS = 1200
const process = { openFiles: 80, unlinkedFiles: 0, unlinkedBytes: 0, threads: 26 }

interface Point {
  readonly privateMiB: number
  /** Of each of three nodes. */
  readonly logMiB: number
  readonly recordsMiB: number
}

const flat: Point = { privateMiB: 200, logMiB: 9, recordsMiB: 6 }

function node(id: string, { logMiB, recordsMiB }: Point): NodeSample {
  const disk = { logBytes: logMiB * MIB, snapshotBytes: 5 * MIB, otherBytes: 4096, segments: 7 }
  const heap = { heapUsedBytes: 9 * MIB, externalBytes: 2 * MIB }
  return { id, ...disk, base: 1, lastIndex: 900, retainedBytes: recordsMiB * MIB, ...heap }
}

function sampleAt(atSeconds: number, point: Point): SoakSample {
  const load = { acknowledged: atSeconds * 5000, unknown: 0, commandsPerSecond: 5000, p99Ms: 20 }
  const heap = { heapUsedBytes: 9 * MIB, externalBytes: 2 * MIB }
  const nodes = ['n1', 'n2', 'n3'].map((id) => node(id, point))
  const own = { ...process, privateBytes: point.privateMiB * MIB }
  return { atSeconds, epoch: 0, isLoaded: true, ...heap, ...own, ...load, nodes }
}

/** One a second; `pointAt` is given the share of the run. */
const samplesOf = (pointAt: (share: number, second: number) => Point, seconds = SECONDS): SoakSample[] =>
  Array.from({ length: seconds }, (_, at) => sampleAt(at + 1, pointAt(at / seconds, at)))

const restsOf = (openFiles: readonly number[]): RestSample[] =>
  openFiles.map((files, epoch) => ({
    atSeconds: (epoch + 1) * 120,
    epoch,
    privateBytes: 99 * MIB,
    ...process,
    openFiles: files,
  }))

const verified = (epoch: number): EpochVerification => ({
  epoch,
  atSeconds: epoch * 120,
  verdict: 'pass',
  acknowledged: 1000,
  unknown: 0,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  digestsEqual: true,
  digests: { n1: 'a', n2: 'a', n3: 'a' },
})

const fine: SoakEvidence = {
  samples: samplesOf(() => flat),
  rests: restsOf([23, 23, 23, 23, 23]),
  verifications: [0, 1, 2, 3, 4].map(verified),
  lines: [],
  deaths: [],
  failure: undefined,
}

/** The one check that is not as all the others. */
function oddOne(evidence: Partial<SoakEvidence>): Check {
  const odd = checkSoak({ ...fine, ...evidence }).filter(({ verdict }) => verdict !== 'pass')
  assert.equal(odd.length, 1, odd.map(({ name, text }) => `${name}: ${text}`).join('\n'))
  return odd[0] as Check
}

const passes = (evidence: Partial<SoakEvidence>): void =>
  assert.deepEqual(
    checkSoak({ ...fine, ...evidence }).filter(({ verdict }) => verdict !== 'pass'),
    [],
  )

describe('a soak passes', () => {
  test('where nothing grows', () => passes({}))

  test('with the sawtooth of compaction, and with crashes that make holes', () => {
    const samples = samplesOf((_, second) => {
      const tooth = (second % 13) / 13
      const isDown = second % 60 < 5
      return { privateMiB: isDown ? 130 : 190 + 20 * tooth, logMiB: 5 + 9 * tooth, recordsMiB: 3 + 8 * tooth }
    })
    passes({ samples })
  })

  test('when it has grown to its level in the first half', () => {
    passes({ samples: samplesOf((share) => ({ ...flat, privateMiB: 100 + 200 * Math.min(share, 0.5) })) })
  })

  test('with one high point in the end', () => {
    passes({ samples: samplesOf((_, second) => ({ ...flat, privateMiB: second === 1190 ? 900 : 200 })) })
  })

  test('with a file or two that the runtime has opened meanwhile', () => {
    passes({ rests: restsOf([23, 24, 25]) })
  })
})

describe('a soak fails', () => {
  test('on 6 % of memory from one quarter to the next, and not on 4 %', () => {
    const growing = (percent: number) =>
      samplesOf((share) => ({ ...flat, privateMiB: 200 * (1 + (share * 4 * percent) / 100) }))
    // From the middle of the third quarter to that of the fourth; the level is higher by then, so it takes more.
    const { name, verdict, text } = oddOne({ samples: growing(8) })
    assert.deepEqual([name, verdict], ['private memory', 'fail'])
    assert.match(text, /^\d+ MiB → \d+ MiB \(\+6\.\d %/)
    passes({ samples: growing(5) })
  })

  test('on disk that grows under the teeth of compaction', () => {
    const samples = samplesOf((share, second) => {
      const size = 5 + 3 * ((second % 13) / 13) + 12 * share
      return { ...flat, logMiB: size, recordsMiB: size / 1.5 }
    })
    assert.deepEqual([oddOne({ samples }).name, oddOne({ samples }).verdict], ['disk', 'fail'])
  })

  test('on disk that unlinked files keep', () => {
    const samples = fine.samples.map((sample) => ({
      ...sample,
      unlinkedFiles: 1,
      unlinkedBytes: sample.atSeconds * 0.1 * MIB,
    }))
    assert.equal(oddOne({ samples }).name, 'disk')
  })

  test('on files that each start of the cluster leaves open', () => {
    const { name, verdict } = oddOne({ rests: restsOf([23, 26, 29, 32, 35]) })
    assert.deepEqual([name, verdict], ['open files', 'fail'])
  })

  test('on threads that stay', () => {
    const rests = fine.rests.map((rest) => ({ ...rest, threads: 23 + rest.epoch }))
    assert.deepEqual([oddOne({ rests }).name, oddOne({ rests }).verdict], ['threads', 'fail'])
  })

  test('on a log that takes more than twice its records', () => {
    const samples = samplesOf(() => ({ ...flat, logMiB: 12.1, recordsMiB: 6 }))
    assert.deepEqual([oddOne({ samples }).name, oddOne({ samples }).verdict], ['disk for the log', 'fail'])
  })

  test('on a single line of output', () => {
    const { name, verdict } = oddOne({ lines: ['overlapping duplicate entry'] })
    assert.deepEqual([name, verdict], ['output', 'fail'])
  })

  test('on anything lost, whenever it was found', () => {
    const verifications = [verified(0), { ...verified(1), verdict: 'fail', lost: 3 } as const, verified(2)]
    const { name, verdict, text } = oddOne({ verifications })
    assert.deepEqual([name, verdict], ['data', 'fail'])
    assert.match(text, /3 lost/)
  })

  test('on a node that died on its own, and where it ended early', () => {
    assert.equal(oddOne({ deaths: ['n1 ended with 1: STORAGE_FAILED'] }).verdict, 'fail')
    assert.equal(oddOne({ failure: "the cluster's process died of SIGSEGV" }).verdict, 'fail')
  })

  test('also where something else cannot be told', () => {
    const checks = checkSoak({ ...fine, samples: [], lines: ['x'] })
    assert.equal(verdictOfChecks(checks), 'fail')
  })
})

describe('a soak cannot tell', () => {
  test('of growth in less than its minimum', () => {
    const checks = checkSoak({ ...fine, samples: samplesOf(() => flat, MIN_SECONDS - 1) })
    const odd = checks.filter(({ verdict }) => verdict !== 'pass')
    assert.deepEqual(
      odd.map(({ name, verdict }) => [name, verdict]),
      [
        ['private memory', 'unknown'],
        ['disk', 'unknown'],
      ],
    )
    assert.match(odd[0]?.text ?? '', /too short to tell: it takes \d+ minutes/)
    assert.equal(verdictOfChecks(checks), 'unknown')
  })

  test('of open files where there was one stop, or where the system does not tell them', () => {
    const ofFiles = (rests: RestSample[]): string | undefined =>
      checkSoak({ ...fine, rests }).find(({ name }) => name === 'open files')?.verdict
    assert.equal(ofFiles(restsOf([23])), 'unknown')
    assert.equal(ofFiles(restsOf([23, 23]).map((rest) => ({ ...rest, openFiles: null }))), 'unknown')
  })
})
