export const POLL_MS = 5

export const pause = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms))

/** Looks again and again until it is so. @throws what `otherwise` makes, at the deadline */
export async function until(isSo: () => boolean, deadlineMs: number, otherwise: () => Error): Promise<void> {
  while (!isSo()) {
    if (performance.now() >= deadlineMs) throw otherwise()
    await pause(POLL_MS)
  }
}
