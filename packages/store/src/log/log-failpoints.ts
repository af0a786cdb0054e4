/** Places between the steps of a log store where a test lets it crash. */
export const failpoints = [
  'spare-made',
  'witness-lowered',
  'sealed-repaired',
  'commit-begun',
  'committed',
  'activated',
] as const

/** Told of each place as it is passed. */
export type Failpoint = (place: (typeof failpoints)[number]) => void
