/** Leases of many deliveries of one consumer. */
import type { Delivery } from './delivery.ts'
import { isRefused } from './queue-errors.ts'
import type { Settlements } from './settlements.ts'

/** All begin anew. Tells those that had ended, and resolves with them. */
export async function extendAll<T>(
  settlements: Settlements,
  deliveries: readonly Delivery<T>[],
  leaseMs: number,
): Promise<readonly Delivery<T>[]> {
  const handles = deliveries.map(({ handle }) => handle)
  const lost = await settlements.extend(handles, leaseMs).then(
    (offsets) => offsets.map((offset) => deliveries[offset] as Delivery<T>),
    (error: unknown) => (isRefused(error, 'LEASE_ENDED') ? deliveries : []),
  )
  // One that was settled in the meantime is gone, and not lost.
  const unsettled = lost.filter(({ isSettled }) => !isSettled)
  for (const delivery of unsettled) delivery.lose()
  return unsettled
}
